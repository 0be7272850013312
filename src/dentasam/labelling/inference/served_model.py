"""The model that answers the labelling page: with one adapter merged in, from prompts to logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dentasam.labelling.inference.embedding_store import model_key
from dentasam.model.core.frame import LOGIT_STRIDE, Frame
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.segmenter import Segmenter

# More objects in one decode gain nothing on a CPU and hold 30 MB each.
OBJECTS_PER_DECODE = 16
# Of a long list of clicks without a mask before them, only the last are given one by one.
CLICKS_ONE_BY_ONE = 10
# Where boxes are tried, as shares of the width; and the share of a box that a model must fill to know boxes.
PROBE_COLUMNS = (0.3, 0.4, 0.5, 0.6, 0.7)
MIN_FILLED = 0.1
# A tooth fills its box nearly as an ellipse does, and a box drawn by hand is larger than the tooth.
ELLIPSE_SHARE = 0.9
ELLIPSE_LOGIT = 4.0


@dataclass(frozen=True)
class ModelIdentity:
    """Which model it is: hashes of the base's checkpoint and of the adapter's weights, None without an adapter.

    Before the model is loaded, name and sha256 are empty.
    """

    name: str = ""
    sha256: str = ""
    adapter: str | None = None
    adapter_sha256: str | None = None


@dataclass(frozen=True)
class ObjectPrompt:
    """Clicks (k, 3) x, y, 1 or 0; box x0, y0, x1, y1 or None, in image pixels; logits (h, w) or None."""

    clicks: np.ndarray
    box: tuple[float, float, float, float] | None = None
    logits: np.ndarray | None = None


@dataclass(frozen=True)
class Decoded:
    """logits (h, w) float32 to feed back, and the predicted IoU."""

    logits: np.ndarray
    score: float


class ServedModel:
    """A segmenter for many requests.

    An adapter is merged into a copy of the base, which spares a third of each decode; the hashes stay those of
    base and adapter. The weights never change after it was made, so threads may encode and decode at once.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        """Raises AdapterError where the adapter cannot be merged."""
        adapter = segmenter.adapters.identity()
        self.segmenter = segmenter = segmenter.merged()
        self._knows_boxes: bool | None = None
        self.model = segmenter.model
        name, adapter_sha256 = (adapter.name, adapter.weights_sha256) if adapter else (None, None)
        self.identity = ModelIdentity(segmenter.name, segmenter.info.sha256, name, adapter_sha256)
        key = adapter.weights_sha256 + adapter.settings_sha256 if adapter else None
        # An int8 encoder gives other embeddings; those of torch and ONNX Runtime in fp32 serve both.
        self.key = model_key(segmenter.info.sha256 + (segmenter.info.int8 or ""), key)

    def encode(self, image: np.ndarray) -> ImageEmbedding:
        """As `Segmenter.encode`."""
        return self.segmenter.encode(image)

    @torch.inference_mode()
    def decode(self, embedding: ImageEmbedding, wanted: Sequence[ObjectPrompt]) -> list[Decoded]:
        """Logits of all objects, in as few decodes as their kinds of prompts allow.

        With logits, all clicks are given at once beside them, as the last step of the schedule that the model
        was trained on. Without, clicks are given one at a time, each with the logits of the one before.
        """
        embedding = embedding.to(self.segmenter.device, self.model.dtype)
        if any(prompt.box is not None for prompt in wanted) and not self.knows_boxes(embedding):
            wanted = [without_box(prompt, embedding.frame) for prompt in wanted]
        groups: dict[tuple[int, bool, bool], list[int]] = {}
        for index, prompt in enumerate(wanted):
            form = len(prompt.clicks), prompt.box is None, prompt.logits is None
            groups.setdefault(form, []).append(index)
        found: dict[int, Decoded] = {}
        for (clicks, _, bare), members in groups.items():
            for start in range(0, len(members), OBJECTS_PER_DECODE):
                part = members[start : start + OBJECTS_PER_DECODE]
                prompts = self._prompts([wanted[index] for index in part], embedding.frame)
                first = min(max(1, clicks - CLICKS_ONE_BY_ONE), clicks) if bare else clicks
                logits = prompts.logits
                for shown in range(first, clicks + 1):
                    given = Prompts(prompts.points[:, :shown], prompts.labels[:, :shown], prompts.boxes, logits)
                    predicted = self.model.decode(embedding, given, sparse_upscaling=self.segmenter.sparse_upscaling)
                    logits = predicted.logits.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
                scores = predicted.scores.float().cpu()
                for row, index in enumerate(part):
                    # A copy of its own: a view would keep all objects of the decode in memory.
                    own = predicted.logits[row].float().cpu().numpy().copy()
                    found[index] = Decoded(own, float(scores[row]))
        return [found[index] for index in range(len(wanted))]

    @torch.inference_mode()
    def knows_boxes(self, embedding: ImageEmbedding) -> bool:
        """Whether the model was trained with boxes, found out once, from boxes in the middle of an image.

        A model that was trained with clicks alone answers a box with next to nothing.
        """
        if self._knows_boxes is None:
            frame = embedding.frame
            boxes = [_tooth_sized(x, frame) for x in PROBE_COLUMNS]
            prompts = self._prompts([ObjectPrompt(np.zeros((0, 3)), box) for box in boxes], frame)
            logits = self.model.decode(embedding, prompts).logits.float().cpu().numpy()
            filled = [
                (one > 0).sum() / max(1, (_ellipse(box, frame) > 0).sum())
                for one, box in zip(logits, boxes, strict=True)
            ]
            self._knows_boxes = bool(np.median(filled) > MIN_FILLED)
        return self._knows_boxes

    def _prompts(self, wanted: list[ObjectPrompt], frame: Frame) -> Prompts:
        clicks = np.stack([np.asarray(prompt.clicks, np.float32).reshape(-1, 3) for prompt in wanted])
        boxes = logits = None
        if wanted[0].box is not None:
            corners = np.array([prompt.box for prompt in wanted], np.float32).reshape(-1, 2, 2)
            boxes = torch.from_numpy(frame.points_to_frame(corners).reshape(-1, 4))
        if wanted[0].logits is not None:
            logits = torch.from_numpy(np.stack([np.asarray(p.logits, np.float32) for p in wanted]))
            logits = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        points = torch.from_numpy(frame.points_to_frame(clicks[..., :2]))
        labels = torch.from_numpy(clicks[..., 2].astype(np.int64))
        return Prompts(points, labels, boxes, logits).to(self.segmenter.device)


def without_box(prompt: ObjectPrompt, frame: Frame) -> ObjectPrompt:
    """The prompt in clicks and logits, for a model that was never shown a box: an ellipse, and a click on its centre.

    Where the object has logits already, they say more than the box does.
    """
    if prompt.box is None or prompt.logits is not None:
        return replace(prompt, box=None)
    x0, y0, x1, y1 = prompt.box
    x0, x1 = (min(max(x, 0), frame.width - 1) for x in (x0, x1))
    y0, y1 = (min(max(y, 0), frame.height - 1) for y in (y0, y1))
    clicks = prompt.clicks if len(prompt.clicks) else np.array([[(x0 + x1) / 2, (y0 + y1) / 2, 1]], np.float32)
    return ObjectPrompt(clicks, None, _ellipse((x0, y0, x1, y1), frame))


def _ellipse(box: tuple[float, float, float, float], frame: Frame) -> np.ndarray:
    """Logits (h, w): positive in the ellipse inside a box, negative elsewhere."""
    corners = frame.points_to_frame(np.array(box, np.float32).reshape(2, 2)) / LOGIT_STRIDE
    (x0, y0), (x1, y1) = corners
    height, width = frame.logits
    rows, columns = np.ogrid[:height, :width]
    # A logit's centre lies half a logit from its corner. The smallest box still covers one.
    across = (columns + 0.5 - (x0 + x1) / 2) / max(ELLIPSE_SHARE * (x1 - x0) / 2, 0.71)
    down = (rows + 0.5 - (y0 + y1) / 2) / max(ELLIPSE_SHARE * (y1 - y0) / 2, 0.71)
    inside = across**2 + down**2 <= 1
    return np.where(inside, ELLIPSE_LOGIT, -ELLIPSE_LOGIT).astype(np.float32)


def _tooth_sized(share: float, frame: Frame) -> tuple[float, float, float, float]:
    """A box in the middle of the image's height, at a share of its width."""
    x, y = share * frame.width, frame.height / 2
    half_width, half_height = frame.width / 50, frame.height / 8
    return x - half_width, y - half_height, x + half_width, y + half_height
