"""An exported model as a network: the same `encode` and `decode` as `SamHQ`, computed by ONNX Runtime."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from dentasam.errors import CheckpointError, PromptError
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import CHOICES as MASK_CHOICES
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.onnx.export import (
    ANSWER,
    CHOICES,
    DECODER,
    EMBEDDING,
    ENCODER,
    PIXELS,
    PLACE,
    ExportCard,
    require,
)
from dentasam.model.onnx.graph_check import check_graph, first_line
from dentasam.model.onnx.graphs import FIRST_CORNER, NO_BOX, SECOND_CORNER
from dentasam.model.onnx.interface import are_floats, decoder_names, encoder_names, strange_interface
from dentasam.model.onnx.run_time import ended_after, seconds_for
from dentasam.model.onnx.session_memory import bound_for, share_bounded_memory
from dentasam.model.sam_hq import MaskChoices, MaskPrediction

log = logging.getLogger(__name__)
# More objects at a time take more memory and are no faster.
OBJECTS_AT_ONCE = 8
# More threads wait: a graph uses all cores by itself, and the memory that graphs may take together is bounded.
RUNS_AT_ONCE = 4
_runs = threading.BoundedSemaphore(RUNS_AT_ONCE)


class OnnxNetwork:
    """Fulfils `Network`: the two graphs of an exported model, on the CPU. Threads may encode and decode at once.

    Each graph takes as many threads as torch had when it was opened.
    """

    runtime: Literal["onnx"] = "onnx"

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder holds no exported model, something that no export has, or weights
        that are not finite.

        ExtraError without the packages that read and run the graphs.
        """
        require("onnxruntime", "onnx")
        self.folder = Path(folder)
        self.card = ExportCard.read(self.folder)
        weights = sum(check_graph(self.folder / name) for name in (ENCODER, DECODER))
        bound, self._seconds = bound_for(weights), seconds_for(weights)
        self._encoder = _session(self.folder / ENCODER, bound)
        self._decoder = _session(self.folder / DECODER, bound)
        _check_interface(self._encoder, encoder_names(self.takes_windows), self.folder / ENCODER)
        _check_interface(self._decoder, decoder_names(self.takes_windows), self.folder / DECODER)
        if not self.takes_windows:
            log.warning("%s: exported before object windows; answers on the whole image until exported again", folder)

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The type of embeddings."""
        return torch.float32

    @property
    def takes_windows(self) -> bool:
        """Whether the graphs take object windows and give choices."""
        return self.card.windows

    def encode(self, pixels: Tensor, frame: Frame) -> ImageEmbedding:
        """The embedding of pixels (B, 3, 16 rows, 16 cols) of B images or windows with one frame."""
        feed = {PIXELS: pixels.numpy()}
        if self.takes_windows:
            feed[PLACE] = _place(frame)
        elif frame.top or frame.left or len(pixels) != 1:
            raise ValueError(f"{self.folder}: encodes one whole image at a time; export it again for object windows")
        arrays = _computed(self._encoder, EMBEDDING, feed, self.folder / ENCODER, self._seconds)
        images = len(pixels)
        if not are_floats(arrays, (images, 256, frame.rows, frame.cols), (images, 32, *frame.logits)):
            raise CheckpointError(f"{self.folder / ENCODER}: gives embeddings of another shape; export it again")
        features, hq = arrays
        return ImageEmbedding(torch.from_numpy(features), torch.from_numpy(hq), frame)

    def with_projections(self, embedding: ImageEmbedding) -> ImageEmbedding:
        """The embedding itself: the decoder's graph takes no projections."""
        return embedding

    def decode(
        self,
        embedding: ImageEmbedding,
        prompts: Prompts,
        multimask: bool = False,
        output: Output = "sam+hq",
        sparse_upscaling: bool = False,
        budget: int | None = None,
    ) -> MaskPrediction:
        """As `SamHQ.decode`.

        `sparse_upscaling` and `budget` are about torch's time and memory and have no effect here. Raises PromptError
        for `multimask` where the model was exported before it gave choices, and for another `output`, which the graph
        does not compute.
        """
        if output != "sam+hq":
            raise PromptError("an exported model gives masks by SAM and HQ together; use torch for the others")
        if multimask:
            choices = self.decode_choices(embedding, prompts)
            scores, best = choices.scores.max(dim=1)
            return MaskPrediction(choices.logits[torch.arange(len(best)), best], scores)
        return MaskPrediction(*self._run(ANSWER, (), embedding, prompts))

    def decode_choices(self, embedding: ImageEmbedding, prompts: Prompts, budget: int | None = None) -> MaskChoices:
        """As `SamHQ.decode_choices`. Raises PromptError where the model was exported before it gave choices."""
        if not self.takes_windows:
            raise PromptError(f"{self.folder}: gives one mask; export it again for those of an ambiguous click")
        return MaskChoices(*self._run(CHOICES, (MASK_CHOICES,), embedding, prompts))

    def _run(
        self, outputs: tuple[str, str], each: tuple[int, ...], embedding: ImageEmbedding, prompts: Prompts
    ) -> tuple[Tensor, Tensor]:
        """Logits (P, …, h, w) and scores (P, …) of the graph's outputs of these names; `each` is what stands for …"""
        frame = embedding.frame
        logits = np.empty((len(prompts), *each, *frame.logits), np.float32)
        scores = np.empty((len(prompts), *each), np.float32)
        image = {"features": embedding.features.float().numpy(), "hq": embedding.hq.float().numpy()}
        if self.takes_windows:
            image[PLACE] = _place(frame)
        groups = prompts.groups() if len(prompts) else []
        for rows in (part for group in groups for part in group.split(OBJECTS_AT_ONCE)):
            feed = image | _feed(prompts[rows], frame)
            if not self.takes_windows:
                del feed["image"]
            arrays = _computed(self._decoder, outputs, feed, self.folder / DECODER, self._seconds)
            if not are_floats(arrays, (len(rows), *logits.shape[1:]), (len(rows), *scores.shape[1:])):
                raise CheckpointError(f"{self.folder / DECODER}: gives masks of another shape; export it again")
            logits[rows.numpy()], scores[rows.numpy()] = arrays
        return torch.from_numpy(logits), torch.from_numpy(scores)

    def scores(self, embedding: ImageEmbedding, prompts: Prompts) -> Tensor:
        """The predicted IoU (P,) of the objects; the graph computes their masks too."""
        return self.decode(embedding, prompts).scores


def _place(frame: Frame) -> np.ndarray:
    return np.array([frame.top, frame.left], np.int64)


def _feed(prompts: Prompts, frame: Frame) -> dict[str, np.ndarray]:
    """The decoder's inputs for objects with one prompt layout."""
    objects = len(prompts)
    present = prompts.labels >= 0
    points = prompts.points[present].view(objects, -1, 2).numpy()
    labels = prompts.labels[present].view(objects, -1).numpy()
    if prompts.boxes is None or bool(prompts.boxes.isnan().any()):
        last, roles = np.zeros((objects, 1, 2), np.float32), [NO_BOX]
    else:
        last, roles = prompts.boxes.view(objects, 2, 2).numpy(), [FIRST_CORNER, SECOND_CORNER]
    if prompts.logits is None:
        previous, has_previous = np.zeros((objects, *frame.logits), np.float32), np.zeros(objects, bool)
    else:
        has_previous = ~prompts.logits.isnan().flatten(1).any(dim=1).numpy()
        previous = prompts.logits.float().nan_to_num().numpy()
    image = torch.zeros(objects, dtype=torch.long) if prompts.image is None else prompts.image
    return {
        "image": image.numpy(),
        "points": np.concatenate([points, last], axis=1).astype(np.float32),
        "labels": np.concatenate([labels, np.tile(roles, (objects, 1))], axis=1).astype(np.int64),
        "previous": previous,
        "has_previous": has_previous,
    }


def _session(path: Path, bound: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin between calls would take cores from the other graph, which the labelling tool runs meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Errors are raised, and need no line of their own.
    options.log_severity_level = 4
    share_bounded_memory(options, bound)
    try:
        # Constants are computed outside the bounded memory; our exports have none left to compute.
        off = ["ConstantFolding"]
        return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"], disabled_optimizers=off)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}); export it again") from error
    # The runtime's own errors have no common base but Exception.
    except Exception as error:
        reason = first_line(error)
        raise CheckpointError(f"{path}: cannot be opened by ONNX Runtime ({reason}); export it again") from error


def _check_interface(session: Any, names: tuple[set[str], set[str]], path: Path) -> None:
    strange = strange_interface(session, names)
    if strange is not None:
        raise CheckpointError(f"{path}: {strange}, which no export does; export it again with dentasam")


def _computed(
    session: Any, outputs: tuple[str, ...], feed: dict[str, np.ndarray], path: Path, seconds: float
) -> list[np.ndarray]:
    """The outputs of a graph. Raises CheckpointError where it does not take the feed, or cannot compute them in time.

    seconds: that this run may take.
    """
    try:
        with _runs, ended_after(seconds) as (options, ended):
            arrays: list[np.ndarray] = session.run(outputs, feed, options)
    # The runtime's own errors have no common base but Exception.
    except Exception as error:
        reason = f"not done after {seconds / 60:,.0f} minutes" if ended.is_set() else first_line(error)
        raise CheckpointError(f"{path}: cannot be computed ({reason}); export it again") from error
    return arrays
