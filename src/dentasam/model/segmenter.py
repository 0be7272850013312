"""A loaded model for notebooks, services, evaluation and the labelling tool: image in, masks out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dentasam.errors import ImageError, PromptError
from dentasam.model.adapters.loading import load_adapter
from dentasam.model.adapters.merging import merge_adapter
from dentasam.model.adapters.switching import active_adapter, adapter_names, use_adapter
from dentasam.model.checkpoints.loading import ModelInfo, load_model
from dentasam.model.core.frame import Frame
from dentasam.model.core.full_resolution import full_masks
from dentasam.model.core.memory import keep_freed_memory
from dentasam.model.core.precision import Precision, arithmetic, autocast_type
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import SamHQ

# Memory for the objects that are decoded at a time on a CPU: 16 of a panoramic. With all 32 it is no faster.
DECODE_BYTES = 2**29


@dataclass(frozen=True)
class Prediction:
    """masks (P, H, W) bool at the image's resolution, logits (P, h, w) float32 to feed back, scores (P,) IoU."""

    masks: np.ndarray
    logits: np.ndarray
    scores: np.ndarray


class Segmenter:
    """A model, the adapters it has loaded, and where it runs. Encode an image once, then ask as often as needed.

    With `windows`, masks are computed where they can be and only estimated elsewhere. `precision` is that of the
    encoder's arithmetic, `auto` bf16 where the device is fast at it; the decoder keeps that of the weights.
    """

    def __init__(
        self,
        model: SamHQ,
        info: ModelInfo,
        device: torch.device | str | None = None,
        sparse_upscaling: bool = True,
        precision: Precision = "auto",
    ) -> None:
        keep_freed_memory()
        self.device = torch.device(device) if device is not None else best_device()
        self.model = model.to(self.device).eval()
        self.info = info
        self.sparse_upscaling = sparse_upscaling
        self.autocast = autocast_type(precision, self.device)
        self.adapter: str | None = None

    @property
    def name(self) -> str:
        """The base model's name."""
        return self.info.name

    @property
    def precision(self) -> Precision:
        """Of the encoder's arithmetic, as the device has it: never `auto`."""
        return "fp32" if self.autocast is None else "bf16"

    def load_adapter(self, name_or_dir: str | Path) -> None:
        """Load an adapter by its bundled name or folder and switch to it. Raises `AdapterError`."""
        key = _adapter_key(name_or_dir)
        if key not in adapter_names(self.model):
            load_adapter(self.model, name_or_dir, self.info.sha256, name=key, base_name=self.info.name)
            self.model.to(self.device).eval()
        self.use_adapter(name_or_dir)

    def use_adapter(self, name_or_dir: str | Path | None) -> None:
        """Switch to an adapter that is loaded already, or to the base alone."""
        use_adapter(self.model, None if name_or_dir is None else _adapter_key(name_or_dir))
        self.adapter = None if name_or_dir is None else str(name_or_dir)

    def merged(self) -> Segmenter:
        """A segmenter with the adapter in use merged into a copy of the base; itself without an adapter.

        It decodes a third faster, and no longer switches adapters. Raises `AdapterError` where it cannot be merged.
        """
        active = active_adapter(self.model)
        if active is None:
            return self
        merged = Segmenter(
            merge_adapter(self.model, active), self.info, self.device, self.sparse_upscaling, self.precision
        )
        merged.adapter = self.adapter
        return merged

    @torch.inference_mode()
    def encode(self, image: np.ndarray) -> ImageEmbedding:
        """The embedding of a grayscale image (H, W), uint8 or uint16. Raises `ImageError` for anything else."""
        if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
            found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ImageError(f"encode takes one grayscale image (H, W) of uint8 or uint16, not {found}")
        if image.size == 0:
            raise ImageError(f"encode takes an image with pixels, not one of shape {image.shape}")
        frame = Frame.of(*image.shape)
        with arithmetic(self.autocast, self.device):
            embedding = self.model.encode(frame.pixels(image).to(self.device), frame)
        return embedding.to(dtype=self.model.dtype)

    @torch.inference_mode()
    def for_clicks(self, embedding: ImageEmbedding) -> ImageEmbedding:
        """The embedding on this device with all that no prompt changes, for an image that is clicked on repeatedly.

        It takes twice the memory and holds for the adapter in use. `predict` takes either.
        """
        return self.model.with_projections(embedding.to(self.device, self.model.dtype))

    @torch.inference_mode()
    def predict(
        self,
        embedding: ImageEmbedding,
        clicks: np.ndarray,
        labels: np.ndarray,
        boxes: np.ndarray | None = None,
        logits: np.ndarray | None = None,
        multimask: bool = False,
        output: Output = "sam+hq",
    ) -> Prediction:
        """Masks of P objects, each with its own clicks.

        clicks: (P, k, 2) float x, y in image pixels. labels: (P, k), 1 positive, 0 negative, -1 no such click.
        boxes: (P, 4) x0, y0, x1, y1 in image pixels, a row of NaN where an object has none.
        logits: (P, h, w) from an earlier prediction, NaN where an object has none.
        Raises `PromptError` for arrays of other shapes, values that are not finite, and objects without a prompt.
        """
        frame = embedding.frame
        points = np.asarray(clicks, dtype=np.float32)
        marks = np.asarray(labels, dtype=np.int64)
        _check(points, marks, boxes, logits, frame)
        corners = None
        if boxes is not None:
            corners = frame.points_to_frame(np.asarray(boxes).reshape(-1, 2, 2)).reshape(-1, 4)
        prompts = Prompts(
            torch.from_numpy(frame.points_to_frame(points)),
            torch.from_numpy(marks),
            None if corners is None else torch.from_numpy(corners),
            None if logits is None else _fed_back(logits),
        ).to(self.device)
        embedding = embedding.to(self.device, self.model.dtype)
        budget = DECODE_BYTES if self.device.type == "cpu" else None
        predicted = self.model.decode(
            embedding, prompts, multimask, output, sparse_upscaling=self.sparse_upscaling, budget=budget
        )
        found = predicted.logits.float().cpu().numpy()
        if self.device.type == "cpu":
            masks = full_masks(found, frame)
        else:
            masks = (frame.logits_to_image(predicted.logits.float()) > 0).cpu().numpy()
        return Prediction(masks, found, predicted.scores.float().cpu().numpy())


def load_torch(
    model: str | Path,
    adapter: str | Path | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "auto",
) -> Segmenter:
    """A segmenter on torch, from a model's name or checkpoint path and an adapter's name or folder.

    `device` None takes a GPU where there is one; `precision` is as in `Segmenter`. Raises `CheckpointError` and
    `AdapterError`. See also `dentasam.load`, which opens exported models too.
    """
    network, info = load_model(model)
    segmenter = Segmenter(network, info, device, precision=precision)
    if adapter is not None:
        segmenter.load_adapter(adapter)
    return segmenter


def best_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _fed_back(logits: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(logits, dtype=np.float32)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)


def _adapter_key(name_or_dir: str | Path) -> str:
    """PEFT names adapters inside module names, where a dot would be read as a path."""
    return str(name_or_dir).replace(".", "_").replace("/", "_")


def _check(
    points: np.ndarray,
    labels: np.ndarray,
    boxes: np.ndarray | None,
    logits: np.ndarray | None,
    frame: Frame,
) -> None:
    if points.ndim != 3 or points.shape[2] != 2:
        raise PromptError(f"clicks must be (objects, clicks, 2) x, y, not {points.shape}")
    objects = len(points)
    if labels.shape != points.shape[:2]:
        raise PromptError(f"labels must be {points.shape[:2]}, one for each click, not {labels.shape}")
    if not np.isin(labels, (1, 0, -1)).all():
        raise PromptError("labels must be 1 (positive), 0 (negative) or -1 (no click)")
    if not np.isfinite(points[labels >= 0]).all():
        raise PromptError("clicks must be finite numbers")
    if boxes is not None and np.shape(boxes) != (objects, 4):
        raise PromptError(f"boxes must be ({objects}, 4) x0, y0, x1, y1, not {np.shape(boxes)}")
    if logits is not None and np.shape(logits) != (objects, *frame.logits):
        raise PromptError(f"logits must be {(objects, *frame.logits)}, not {np.shape(logits)}")
    boxed = np.zeros(objects, dtype=bool) if boxes is None else np.isfinite(np.asarray(boxes, float)).all(axis=1)
    without = np.flatnonzero(~boxed & (labels < 0).all(axis=1))
    if len(without):
        raise PromptError(f"object {without[0]} has neither a click nor a box; give it one")
