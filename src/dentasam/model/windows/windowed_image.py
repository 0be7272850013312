"""One image whose objects are decoded in windows: the same code for notebooks, evaluation, prediction and labelling.

no answer yet        whole image  ->  window around its mask  ->  answer
an answer before     the window follows mask and clicks       ->  answer, with the earlier logits fed back
a huge object        whole image, because a window would be no finer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.full_resolution import full_mask
from dentasam.model.core.gray_range import spread
from dentasam.model.core.precision import arithmetic
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network
from dentasam.model.sam_hq import MaskPrediction
from dentasam.model.windows.local_repair import repaired, with_clicked_pixels
from dentasam.model.windows.placement import Box, box_window, first_window, following_window
from dentasam.model.windows.window import BoxedMask, LogitGrid, Window
from dentasam.model.windows.window_cache import WindowCache, content_hash

# Objects that are decoded at a time, and windows that are encoded at a time: more gain nothing on a CPU.
AT_ONCE = 16


@dataclass(frozen=True)
class ObjectAnswer:
    """The model's answer for one object.

    mask: at the image's resolution. score: predicted IoU.
    logits: (h, w) float32, on the grid of the window, or of the whole image where `window` is None.
    repairs: how many clicks the mask still contradicted, and `local_repair.py` enforced.
    """

    mask: BoxedMask
    logits: np.ndarray
    score: float
    window: Window | None = None
    repairs: int = 0


@dataclass(frozen=True)
class ObjectPrompt:
    """What is asked for one object, in image pixels.

    clicks: (k, 3) x, y, and 1 positive or 0 negative; the oldest first.
    box: x0, y0, x1, y1 or None.
    previous: the object's last answer, which the newest click corrects; None where there is none.
    """

    clicks: np.ndarray
    box: tuple[float, float, float, float] | None = None
    previous: ObjectAnswer | None = None


@dataclass(frozen=True)
class _Place:
    """Where an object is decoded next: a window or the whole image, and the logits there that are fed back."""

    window: Window | None
    logits: np.ndarray | None


class WindowedImage:
    """An encoded image with its pixels. It has no state of objects: an answer is passed on as `previous`.

    Threads may share one. `Segmenter.windows` makes it.
    """

    def __init__(
        self,
        network: Network,
        image: np.ndarray,
        embedding: ImageEmbedding,
        cache: WindowCache,
        model_key: str,
        autocast: torch.dtype | None = None,
        *,
        windows: bool = True,
        repair: bool = True,
        sparse_upscaling: bool = True,
    ) -> None:
        """image: (H, W) uint8 or uint16, what `embedding` was made from. model_key: names the model and its adapter.

        windows: False decodes everything on the whole image. repair: False leaves clicks that the mask contradicts.
        """
        self.embedding = embedding
        self.frame = embedding.frame
        self._network, self._cache, self._autocast = network, cache, autocast
        self._windows, self._repair, self._sparse_upscaling = windows, repair, sparse_upscaling
        # The whole image's gray range, so that a window looks as the image does.
        self._gray = spread(image)
        self._key = content_hash(image), model_key

    @torch.inference_mode()
    def decode(self, prompts: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
        """The answers for P objects, in their order. P objects in one call equal P calls.

        Without an earlier answer all clicks are given at once; whoever has several gives them one by one.
        """
        places = [self._place(prompt) for prompt in prompts]
        first = [i for i, place in enumerate(places) if place is None]
        answers: dict[int, ObjectAnswer] = dict(
            zip(first, self._on_whole_image([prompts[i] for i in first], [None] * len(first)), strict=True)
        )
        for i in first:
            places[i] = self._first_place(prompts[i], answers[i])
        answers |= self._answered(prompts, {i: place for i, place in enumerate(places) if place is not None})
        # A mask that is cut off by its window is decoded once more, in a larger one.
        moved = {}
        for i, answer in answers.items():
            if answer.window is not None:
                window = following_window(answer.window, answer.mask, prompts[i].clicks, self.frame)
                if window is None or window.scale > answer.window.scale:
                    moved[i] = self._moved(answer, window)
        answers |= self._answered(prompts, moved)
        return [answers[i] for i in range(len(prompts))]

    def _place(self, prompt: ObjectPrompt) -> _Place | None:
        """Where an object with an earlier answer is decoded; None for one without."""
        previous = prompt.previous
        if previous is None:
            return None
        if not self._windows:
            return _Place(None, previous.logits)
        if previous.window is None:
            return self._first_place(prompt, previous) or _Place(None, previous.logits)
        return self._moved(previous, following_window(previous.window, previous.mask, prompt.clicks, self.frame))

    def _first_place(self, prompt: ObjectPrompt, answer: ObjectAnswer) -> _Place | None:
        """The window after an answer of the whole image; None where that answer stands."""
        if not self._windows:
            return None
        if prompt.box is not None:
            window, useful = box_window(Box(*prompt.box), self.frame), True
        else:
            window, useful = first_window(answer.mask, answer.score, prompt.clicks, self.frame)
        if window is None:
            return None
        return self._moved(answer, window) if useful else _Place(window, None)

    def _moved(self, answer: ObjectAnswer, window: Window | None) -> _Place:
        """The answer's logits in a window, or on the whole image for None."""
        if window == answer.window:
            return _Place(window, answer.logits)
        own = LogitGrid.of_frame(self.frame) if answer.window is None else answer.window.grid
        if window is None:
            grid = LogitGrid.of_frame(self.frame)
            return _Place(None, own.resampled(answer.logits, grid, self.frame.logits))
        return _Place(window, own.resampled(answer.logits, window.grid, window.logits))

    def _answered(self, prompts: Sequence[ObjectPrompt], places: dict[int, _Place]) -> dict[int, ObjectAnswer]:
        """The answers of objects at their places, by the index of their prompt."""
        whole = [i for i, place in places.items() if place.window is None]
        answers = dict(
            zip(
                whole,
                self._on_whole_image([prompts[i] for i in whole], [places[i].logits for i in whole]),
                strict=True,
            )
        )
        zoomed = [i for i, place in places.items() if place.window is not None]
        for start in range(0, len(zoomed), AT_ONCE):
            part = zoomed[start : start + AT_ONCE]
            found = self._in_windows([prompts[i] for i in part], [places[i] for i in part])
            answers |= dict(zip(part, found, strict=True))
        return answers

    def _on_whole_image(
        self, prompts: Sequence[ObjectPrompt], logits: Sequence[np.ndarray | None]
    ) -> list[ObjectAnswer]:
        answers: list[ObjectAnswer] = []
        grid = LogitGrid.of_frame(self.frame)
        for start in range(0, len(prompts), AT_ONCE):
            part = prompts[start : start + AT_ONCE]
            given = _network_prompts(part, [self.frame] * len(part), logits[start : start + AT_ONCE])
            predicted = self._network.decode(
                self.embedding, given.to(self._network.device), sparse_upscaling=self._sparse_upscaling
            )
            for prompt, own, score in zip(part, *_on_cpu(predicted), strict=True):
                kept, repairs = self._repaired(own, grid, prompt.clicks)
                mask = self._obeyed(BoxedMask(*full_mask(kept, self.frame)), prompt.clicks)
                answers.append(ObjectAnswer(mask, kept, score, None, repairs))
        return answers

    def _in_windows(self, prompts: Sequence[ObjectPrompt], places: Sequence[_Place]) -> list[ObjectAnswer]:
        windows = [place.window for place in places if place.window is not None]
        given = _network_prompts(prompts, windows, [place.logits for place in places])
        given = Prompts(given.points, given.labels, given.boxes, given.logits, torch.arange(len(prompts)))
        predicted = self._network.decode(
            self._embeddings(windows), given.to(self._network.device), sparse_upscaling=self._sparse_upscaling
        )
        answers = []
        for prompt, window, own, score in zip(prompts, windows, *_on_cpu(predicted), strict=True):
            kept, repairs = self._repaired(own, window.grid, prompt.clicks)
            mask = self._obeyed(window.mask(kept), prompt.clicks)
            answers.append(ObjectAnswer(mask, kept, score, window, repairs))
        return answers

    def _embeddings(self, windows: Sequence[Window]) -> ImageEmbedding:
        """The embeddings of P windows, features (P, 256, 24, 16); those that are missing are encoded together."""
        found: dict[Window, tuple[Tensor, Tensor]] = {}
        missing = []
        for window in dict.fromkeys(windows):
            kept = self._cache.get((*self._key, window))
            if kept is None:
                missing.append(window)
            else:
                found[window] = kept
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            frame = part[0].frame
            pixels = torch.cat([frame.normalised(self._gray_of(window)) for window in part])
            with arithmetic(self._autocast, self._network.device):
                encoded = self._network.encode(pixels.to(self._network.device), frame)
            encoded = encoded.to(dtype=self._network.dtype)
            for row, window in enumerate(part):
                # Copies of their own: a view would keep all windows of the batch in memory.
                own = encoded.features[row].clone(), encoded.hq[row].clone()
                self._cache.keep((*self._key, window), *own)
                found[window] = own
        features, hq = (torch.stack([found[window][place] for window in windows]) for place in (0, 1))
        return ImageEmbedding(features, hq, windows[0].frame)

    def _gray_of(self, window: Window) -> Tensor:
        """Gray values of a window, (384, 256) float32 in 0..255."""
        gray = window.cut(self._gray).astype(np.float32)
        return torch.from_numpy(gray * np.float32(255 / 65535) if self._gray.dtype == np.uint16 else gray)

    def _repaired(self, logits: np.ndarray, grid: LogitGrid, clicks: np.ndarray) -> tuple[np.ndarray, int]:
        if not self._repair or not len(clicks):
            return logits, 0
        return repaired(logits, grid.index_of(clicks[:, :2]), clicks[:, 2])

    def _obeyed(self, mask: BoxedMask, clicks: np.ndarray) -> BoxedMask:
        return with_clicked_pixels(mask, clicks, self.frame.height, self.frame.width) if self._repair else mask


def _network_prompts(
    prompts: Sequence[ObjectPrompt], views: Sequence[Frame | Window], logits: Sequence[np.ndarray | None]
) -> Prompts:
    """What the network is given: clicks and boxes in its frame, and the logits that are fed back.

    Objects may have different numbers of clicks, boxes and logits: what one lacks is absent (see `Prompts`). A click
    that the object's window does not show is absent too, because there is nothing of the object.
    """
    most = max((len(prompt.clicks) for prompt in prompts), default=0)
    points = np.zeros((len(prompts), most, 2), np.float32)
    labels = np.full((len(prompts), most), -1, np.int64)
    boxes = np.full((len(prompts), 4), np.nan, np.float32)
    for i, (prompt, view) in enumerate(zip(prompts, views, strict=True)):
        shown = [row for row in prompt.clicks if isinstance(view, Frame) or view.holds(float(row[0]), float(row[1]))]
        if shown:
            rows = np.array(shown, np.float64)
            points[i, : len(rows)] = view.points_to_frame(rows[:, :2])
            labels[i, : len(rows)] = rows[:, 2]
        if prompt.box is not None:
            corners = np.array(prompt.box, np.float64).reshape(2, 2)
            boxes[i] = view.points_to_frame(corners).reshape(4)
    fed = None
    if any(own is not None for own in logits):
        absent = np.full(views[0].logits, np.nan, np.float32)
        fed = torch.from_numpy(np.stack([absent if own is None else own for own in logits]).astype(np.float32))
        fed = fed.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    return Prompts(
        torch.from_numpy(points),
        torch.from_numpy(labels),
        None if np.isnan(boxes).all() else torch.from_numpy(boxes),
        fed,
    )


def _on_cpu(predicted: MaskPrediction) -> tuple[list[np.ndarray], list[float]]:
    # Copies of their own: a view would keep all objects of the decode in memory.
    return [own.copy() for own in predicted.logits.float().cpu().numpy()], predicted.scores.float().cpu().tolist()
