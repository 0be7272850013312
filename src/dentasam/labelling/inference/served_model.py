"""The model that answers the labelling page: with one adapter merged in, from prompts to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dentasam.model.chart.chart import Chart
from dentasam.model.chart.numbering import Numbering
from dentasam.model.core.frame import PREPROCESSING, Frame
from dentasam.model.core.full_resolution import full_mask
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.placement import Box, box_window
from dentasam.model.windows.window import BoxedMask, LogitGrid
from dentasam.model.windows.window_cache import WindowCache
from dentasam.model.windows.windowed_image import WindowedImage

# Of a long list of clicks without a mask before them, only the last are given one by one.
CLICKS_ONE_BY_ONE = 10
# Where boxes are tried, as shares of the width; and the share of a box that a model must fill to know boxes.
PROBE_COLUMNS = (0.3, 0.4, 0.5, 0.6, 0.7)
MIN_FILLED = 0.1
# A tooth fills its box nearly as an ellipse does, and a box drawn by hand is larger than the tooth.
ELLIPSE_SHARE = 0.9
ELLIPSE_LOGIT = 4.0
# Changes where charts become others for the same weights, so that all are made again.
CHARTS = "charts-2"


@dataclass(frozen=True)
class ModelIdentity:
    """Which model it is: hashes of the base's checkpoint and of the adapter's weights, None without an adapter.

    Before the model is loaded, name and sha256 are empty.
    """

    name: str = ""
    sha256: str = ""
    adapter: str | None = None
    adapter_sha256: str | None = None


def model_key(base_sha256: str, adapter_sha256: str | None) -> str:
    """What an embedding depends on besides its image."""
    return f"{PREPROCESSING}|{base_sha256}|{adapter_sha256 or ''}"


class ServedModel:
    """A segmenter for many requests.

    An adapter is merged into a copy of the base, which spares a third of each decode; the hashes stay those of
    base and adapter. The weights never change after it was made, so threads may encode and decode at once.
    """

    def __init__(self, segmenter: Segmenter, *, windows: bool = True) -> None:
        """windows: whether objects are decoded in object windows, if the model takes them.

        Raises AdapterError where the adapter cannot be merged.
        """
        adapter = segmenter.adapters.identity()
        self.segmenter = segmenter = segmenter.merged()
        self._knows_boxes: bool | None = None
        self.model = segmenter.model
        self.windows = windows and self.model.takes_windows
        name, adapter_sha256 = (adapter.name, adapter.weights_sha256) if adapter else (None, None)
        self.identity = ModelIdentity(segmenter.name, segmenter.info.sha256, name, adapter_sha256)
        key = adapter.weights_sha256 + adapter.settings_sha256 if adapter else None
        # An int8 encoder gives other embeddings; those of torch and ONNX Runtime in fp32 serve both.
        self.key = model_key(segmenter.info.sha256 + (segmenter.info.int8 or ""), key)

    @cached_property
    def chart_key(self) -> str | None:
        """What a chart depends on besides its image; None where the model has no chart head."""
        if not self.segmenter.has_chart:
            return None
        return f"{CHARTS}|{self.key}|{'windows' if self.windows else 'whole'}|{self.segmenter.chart_sha256}"

    def chart(self, image: WindowedImage) -> Chart:
        """Every tooth of an image, outlined and numbered. Raises ChartError without a chart head.

        All masks are decoded in object windows, which takes a second longer than the worst alone: each better mask is
        a correction less. These windows do not push those of clicks out of the memory.
        """
        return self.segmenter.chart(image.with_cache(WindowCache()), windows=self.windows, finer=None)

    def number(
        self,
        boxes: np.ndarray,
        size: tuple[int, int],
        known: Sequence[str | None],
        masks: Sequence[BoxedMask | None],
    ) -> Numbering:
        """As `Segmenter.number`."""
        return self.segmenter.number(boxes, size, known, masks)

    def encode(self, image: np.ndarray) -> ImageEmbedding:
        """As `Segmenter.encode`."""
        return self.segmenter.encode(image)

    def image(self, pixels: np.ndarray | None, embedding: ImageEmbedding) -> WindowedImage:
        """The image for decoding its objects; its pixels (H, W) are needed where they are decoded in windows."""
        if pixels is None:
            if self.windows:
                raise ValueError("windows are cut from the image's pixels")
            pixels = np.zeros((1, 1), np.uint8)
        return self.segmenter.windows(pixels, embedding, windows=self.windows)

    def decode(self, image: WindowedImage, wanted: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
        """The answers of all objects.

        With an earlier answer, all clicks are given at once beside its logits, as the last step of the schedule that
        the model was trained on. Without, clicks are given one at a time, each with the answer to the one before.
        """
        if any(prompt.box is not None for prompt in wanted) and not self.knows_boxes(image.embedding):
            wanted = [without_box(prompt, image.frame, windows=self.windows) for prompt in wanted]
        answers = [prompt.previous for prompt in wanted]
        shown = [_clicks_at_first(prompt) for prompt in wanted]
        rows = list(range(len(wanted)))
        while rows:
            given = [replace(wanted[i], clicks=wanted[i].clicks[: shown[i]], previous=answers[i]) for i in rows]
            for i, answer in zip(rows, image.decode(given), strict=True):
                answers[i] = answer
                shown[i] += 1
            rows = [i for i in rows if shown[i] <= len(wanted[i].clicks)]
        return [answer for answer in answers if answer is not None]

    def choices(
        self, image: WindowedImage, wanted: Sequence[ObjectPrompt], answers: Sequence[ObjectAnswer]
    ) -> list[tuple[ObjectAnswer, ...]]:
        """What the first clicks of objects may mean, as `WindowedImage.choices`, in the windows of their answers.

        Nothing for each object where the model was exported before there were choices.
        """
        if not wanted or not self.model.takes_windows:
            return [()] * len(wanted)
        given = [replace(prompt, previous=answer) for prompt, answer in zip(wanted, answers, strict=True)]
        return image.choices(given)

    def knows_boxes(self, embedding: ImageEmbedding) -> bool:
        """Whether the model was trained with boxes, found out once, from boxes in the middle of an image.

        A model that was trained with clicks alone answers a box with next to nothing.
        """
        if self._knows_boxes is None:
            frame = embedding.frame
            boxes = [_tooth_sized(x, frame) for x in PROBE_COLUMNS]
            clicks, labels = np.zeros((len(boxes), 0, 2)), np.zeros((len(boxes), 0), np.int64)
            logits = self.segmenter.predict(embedding, clicks, labels, np.array(boxes)).logits
            filled = [
                (one > 0).sum() / max(1, (_ellipse(box, LogitGrid.of_frame(frame), frame.logits) > 0).sum())
                for one, box in zip(logits, boxes, strict=True)
            ]
            self._knows_boxes = bool(np.median(filled) > MIN_FILLED)
        return self._knows_boxes


def without_box(prompt: ObjectPrompt, frame: Frame, *, windows: bool) -> ObjectPrompt:
    """The prompt in clicks and an answer, for a model that was never shown a box: an ellipse, a click on its centre.

    Where the object has an answer already, that says more than the box does. windows: whether the ellipse lies in a
    window around the box, where that is finer than the whole image.
    """
    if prompt.box is None or prompt.previous is not None:
        return replace(prompt, box=None)
    x0, y0, x1, y1 = prompt.box
    x0, x1 = (min(max(x, 0), frame.width - 1) for x in (x0, x1))
    y0, y1 = (min(max(y, 0), frame.height - 1) for y in (y0, y1))
    clicks = prompt.clicks if len(prompt.clicks) else np.array([[(x0 + x1) / 2, (y0 + y1) / 2, 1]], np.float32)
    window = box_window(Box(x0, y0, x1, y1), frame) if windows else None
    if window is None:
        logits = _ellipse((x0, y0, x1, y1), LogitGrid.of_frame(frame), frame.logits)
        mask = BoxedMask(*full_mask(logits, frame)).tight()
    else:
        logits = _ellipse((x0, y0, x1, y1), window.grid, window.logits)
        mask = window.mask(logits)
    return replace(prompt, clicks=clicks, box=None, previous=ObjectAnswer(mask, logits, 1.0, window))


def _clicks_at_first(prompt: ObjectPrompt) -> int:
    """How many clicks are given in the first decode: all of them beside an earlier answer, one without."""
    clicks = len(prompt.clicks)
    return clicks if prompt.previous is not None else min(max(1, clicks - CLICKS_ONE_BY_ONE), clicks)


def _ellipse(box: tuple[float, float, float, float], grid: LogitGrid, shape: tuple[int, int]) -> np.ndarray:
    """Logits (h, w) of a grid: positive in the ellipse inside a box, negative elsewhere."""
    (x0, y0), (x1, y1) = (np.array(box).reshape(2, 2) - (grid.x, grid.y)) / (grid.width, grid.height)
    height, width = shape
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
