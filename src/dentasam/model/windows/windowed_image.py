"""One image whose objects are decoded in windows: the same code for notebooks, evaluation, prediction and labelling.

no answer yet        whole image  ->  window around its mask  ->  answer
an answer before     the window follows mask and clicks       ->  answer, with the earlier logits fed back and, away
                                                                  from the new clicks, averaged with its own
a huge object        whole image, because a window would be no finer
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dentasam.model.core.full_resolution import full_mask
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network
from dentasam.model.sam_hq import MaskChoices, MaskPrediction
from dentasam.model.windows.blending import blended
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.choices import MIN_SCORE, distinct, likely, preferred_part
from dentasam.model.windows.local_repair import repaired, with_clicked_pixels
from dentasam.model.windows.network_prompts import network_prompts
from dentasam.model.windows.objects import ObjectAnswer as ObjectAnswer
from dentasam.model.windows.objects import ObjectPrompt as ObjectPrompt
from dentasam.model.windows.placement import Box, box_window, first_window, following_window
from dentasam.model.windows.window import Window, grid_of
from dentasam.model.windows.window_cache import WindowCache
from dentasam.model.windows.window_encoder import WindowEncoder
from dentasam.model.windows.window_prediction import WindowPrediction, object_prompts

# Objects that are decoded at a time: more gain nothing on a CPU.
AT_ONCE = 16


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
        model_key: Callable[[], str],
        autocast: torch.dtype | None = None,
        *,
        windows: bool = True,
        repair: bool = True,
        sparse_upscaling: bool = True,
    ) -> None:
        """image: (H, W) uint8 or uint16, what `embedding` was made from. model_key: names the model with its
        adapter in use; objects are refused (AdapterError) once it has changed.

        windows: False decodes everything on the whole image. A model that was exported before there were windows
        does so too, and its choices are its single mask. repair: False leaves clicks that the mask contradicts.
        """
        self.embedding = embedding
        self.frame = embedding.frame
        self._network = network
        self.uses_windows, self.uses_repair = windows and network.takes_windows, repair
        self._sparse_upscaling = sparse_upscaling
        self._encoder = WindowEncoder(network, image, cache, model_key, autocast)

    def with_cache(self, cache: WindowCache) -> WindowedImage:
        """The same image with its windows in another cache, from which no other image's are pushed out."""
        other = copy.copy(self)
        other._encoder = self._encoder.with_cache(cache)
        return other

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
        placed = {i: place for i, place in enumerate(places) if place is not None}
        answers |= _with_earlier_repairs(self._answered(prompts, placed), answers)
        # A mask that is cut off by its window is decoded once more, in a larger one.
        moved = {}
        for i, answer in answers.items():
            if answer.window is not None:
                window = following_window(answer.window, answer.mask, prompts[i].clicks, self.frame)
                if window is None or window.scale > answer.window.scale:
                    moved[i] = self._moved(answer, window)
        answers |= _with_earlier_repairs(self._answered(prompts, moved), answers)
        parted = [i for i in first if prompts[i].prefer_part]
        choices = self._choices([prompts[i] for i in parted], [answers[i].window for i in parted])
        answers |= {i: preferred_part(answers[i], own) for i, own in zip(parted, choices, strict=True)}
        return [answers[i] for i in range(len(prompts))]

    @torch.inference_mode()
    def decode_in(self, prompts: Sequence[ObjectPrompt], windows: Sequence[Window | None]) -> list[ObjectAnswer]:
        """The answers for P objects without an earlier one, each decoded once in a given window.

        Windows may be shared; None is the whole image. For objects whose place is known before there is a mask.
        """
        if not self.uses_windows:
            windows = [None] * len(prompts)
        answers = self._answered(prompts, {i: _Place(window, None) for i, window in enumerate(windows)})
        return [answers[i] for i in range(len(prompts))]

    @torch.inference_mode()
    def choices(self, prompts: Sequence[ObjectPrompt]) -> list[tuple[ObjectAnswer, ...]]:
        """What the first clicks of P objects may mean, each from the largest mask to the smallest: at most three.

        The whole image answers first, and the three masks are decoded in the window around its answer, from clicks
        alone. Of masks that are nearly the same the best scored is kept. Each can be passed on as `previous`, and the
        window then follows it. An earlier answer is used for the window's place only. Where the model is sure of
        none, as before it was trained for ambiguous clicks, the earlier answer is all there is, or else the single
        mask.
        """
        places = [self._place_of_choices(prompt) for prompt in prompts]
        first = [i for i, place in enumerate(places) if place is None]
        found = self._on_whole_image([prompts[i] for i in first], [None] * len(first))
        for i, answer in zip(first, found, strict=True):
            places[i] = self._first_place(prompts[i], answer)
        windows = [None if place is None else place.window for place in places]
        choices = self._choices(prompts, windows)
        # Where the best of them is cut off by its window, all are decoded once more, in a larger one.
        for i, (prompt, own, window) in enumerate(zip(prompts, choices, windows, strict=True)):
            if window is not None:
                best = max(own, key=lambda answer: answer.score)
                if best.score < MIN_SCORE:
                    continue
                larger = following_window(window, best.mask, prompt.clicks, self.frame)
                if larger is None or larger.scale > window.scale:
                    (choices[i],) = self._choices([prompt], [larger])
        sure = [likely(own) for own in choices]
        shown = [distinct(own) if own else () for own in sure]
        unsure = [i for i, own in enumerate(sure) if not own]
        without = [i for i in unsure if prompts[i].previous is None]
        single = self.decode([replace(prompts[i], prefer_part=False) for i in without])
        answers = dict(zip(without, single, strict=True))
        for i in unsure:
            shown[i] = (prompts[i].previous or answers[i],)
        return shown

    def predict(
        self,
        clicks: np.ndarray,
        labels: np.ndarray,
        boxes: np.ndarray | None = None,
        previous: WindowPrediction | Sequence[ObjectAnswer] | None = None,
        prefer_part: bool = False,
    ) -> WindowPrediction:
        """`decode` with arrays, as `Segmenter.predict` takes them, for notebooks.

        clicks: (P, k, 2) float x, y in image pixels, all of an object's clicks with the newest last.
        labels: (P, k), 1 positive, 0 negative, -1 where an object has no such click.
        boxes: (P, 4) x0, y0, x1, y1 in image pixels; a row of NaN where an object has none.
        previous: the prediction that the newest clicks correct, or one answer for each object, as of `choices`.
        prefer_part: as in `ObjectPrompt`, for all objects.
        Raises PromptError for arrays of other shapes, values that are not finite, and objects without a prompt.
        """
        answers = self.decode(object_prompts(clicks, labels, boxes, previous, prefer_part))
        return WindowPrediction(tuple(answers), self.frame.height, self.frame.width)

    def _place(self, prompt: ObjectPrompt) -> _Place | None:
        """Where an object with an earlier answer is decoded; None for one without."""
        previous = prompt.previous
        if previous is None:
            return None
        if not self.uses_windows:
            return self._moved(previous, None)
        if previous.window is None:
            return self._first_place(prompt, previous) or _Place(None, previous.logits)
        return self._moved(previous, following_window(previous.window, previous.mask, prompt.clicks, self.frame))

    def _place_of_choices(self, prompt: ObjectPrompt) -> _Place | None:
        """As `_place`, but a window does not shrink to the answer: the object may mean something larger."""
        place, previous = self._place(prompt), prompt.previous
        if place is None or previous is None or place.window is None or previous.window is None:
            return place
        return _Place(previous.window, None) if place.window.scale < previous.window.scale else place

    def _first_place(self, prompt: ObjectPrompt, answer: ObjectAnswer) -> _Place | None:
        """The window after an answer of the whole image; None where that answer stands."""
        if not self.uses_windows:
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
        return _Place(window, answer.logits_in(window, self.frame))

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
        for start in range(0, len(prompts), AT_ONCE):
            part = prompts[start : start + AT_ONCE]
            given = network_prompts(part, [self.frame] * len(part), logits[start : start + AT_ONCE])
            predicted = self._network.decode(
                self.embedding, given.to(self._network.device), sparse_upscaling=self._sparse_upscaling
            )
            answers += [
                self._answer(prompt, None, own, score)
                for prompt, own, score in zip(part, *_on_cpu(predicted), strict=True)
            ]
        return answers

    def _in_windows(self, prompts: Sequence[ObjectPrompt], places: Sequence[_Place]) -> list[ObjectAnswer]:
        windows = [place.window for place in places if place.window is not None]
        given = network_prompts(prompts, windows, [place.logits for place in places], torch.arange(len(prompts))).to(
            self._network.device
        )
        predicted = self._network.decode(
            # An object fills much of its window: to find out where its logits are certain takes longer than it saves.
            self._encoder.encode(windows),
            given,
            sparse_upscaling=False,
        )
        decoded, scores = _on_cpu(predicted)
        answers = []
        for prompt, window, own, score in zip(prompts, windows, decoded, scores, strict=True):
            answers.append(self._answer(prompt, window, blended(prompt, window, own), score))
        return answers

    def _choices(self, prompts: Sequence[ObjectPrompt], windows: Sequence[Window | None]) -> list[list[ObjectAnswer]]:
        """All three masks of P objects in their windows, or on the whole image for None, from their prompts alone."""
        if not self._network.takes_windows:
            return [[answer] for answer in self._on_whole_image(prompts, [None] * len(prompts))]
        found: dict[int, list[ObjectAnswer]] = {}
        for zoomed in (False, True):
            rows = [i for i, window in enumerate(windows) if (window is not None) == zoomed]
            for start in range(0, len(rows), AT_ONCE):
                part = rows[start : start + AT_ONCE]
                own = [window for window in (windows[i] for i in part) if window is not None]
                embedding = self._encoder.encode(own) if zoomed else self.embedding
                given = network_prompts(
                    [prompts[i] for i in part],
                    own or [self.frame] * len(part),
                    [None] * len(part),
                    torch.arange(len(part)) if zoomed else None,
                )
                predicted = self._network.decode_choices(embedding, given.to(self._network.device))
                for i, logits, scores in zip(part, *_on_cpu(predicted), strict=True):
                    found[i] = [
                        self._answer(prompts[i], windows[i], one.copy(), score)
                        for one, score in zip(logits, scores, strict=True)
                    ]
        return [found[i] for i in range(len(prompts))]

    def _answer(self, prompt: ObjectPrompt, window: Window | None, logits: np.ndarray, score: float) -> ObjectAnswer:
        """The answer that logits of a window, or of the whole image for None, give; its clicks are obeyed."""
        clicks = prompt.clicks
        contradicted = np.zeros(len(clicks), bool)
        if self.uses_repair and len(clicks):
            logits, contradicted = repaired(logits, grid_of(window, self.frame).index_of(clicks[:, :2]), clicks[:, 2])
        mask = BoxedMask(*full_mask(logits, self.frame)) if window is None else window.mask(logits)
        if self.uses_repair:
            wrong = [label >= 0 and mask.at(x, y) != (label == 1) for x, y, label in clicks]
            contradicted = contradicted | np.array(wrong, bool)
            mask = with_clicked_pixels(mask, clicks, self.frame.height, self.frame.width)
        repairs, newest = int(contradicted.sum()), bool(contradicted[-1:].any())
        return ObjectAnswer(mask, logits, min(max(score, 0.0), 1.0), window, repairs, newest, len(clicks))


def _with_earlier_repairs(
    answers: dict[int, ObjectAnswer], earlier: dict[int, ObjectAnswer]
) -> dict[int, ObjectAnswer]:
    """The answers that replace earlier ones to the same prompts, with whether the newest click was repaired there."""
    before = {i for i, answer in earlier.items() if answer.newest_repaired}
    return {i: replace(answer, newest_repaired=True) if i in before else answer for i, answer in answers.items()}


def _on_cpu(predicted: MaskPrediction | MaskChoices) -> tuple[list[np.ndarray], list[Any]]:
    # Copies of their own: a view would keep all objects of the decode in memory.
    return [own.copy() for own in predicted.logits.float().cpu().numpy()], predicted.scores.float().cpu().tolist()
