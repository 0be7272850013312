"""Answers of the model for the page: masks from clicks and boxes, and masks that follow strokes of the brush.

Clicks are answered in the thread of their request and take no lock against the encode queue: the model is only read.
Waiting for the encode in progress would cost up to a whole encode; computing beside it costs a click about a third of
its time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dentasam.errors import PromptError
from dentasam.labelling.inference.answer_memory import AnswerMemory
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue, ReadyImage, use_threads
from dentasam.labelling.inference.hand_edits import (
    clicks_of_stroke,
    consistent_clicks,
    difference,
    union,
    with_hand_edits,
)
from dentasam.labelling.inference.offered_choices import offered
from dentasam.labelling.inference.previous_answer import placed, previous_answer
from dentasam.labelling.inference.replies import (
    Choice,
    PredictedObject,
    PredictReply,
    RefinedObject,
    RefineReply,
    Seconds,
)
from dentasam.labelling.inference.requests import Box, Click, PredictObject, PrefersPart, RefineObject, TidySizes
from dentasam.labelling.inference.tidying import tidied
from dentasam.labelling.log.operations import AnsweredBy
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_TIDY
from dentasam.model.core.frame import Frame
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt


class Predictor:
    """Masks from the model that a queue has loaded. Every method may be called from any thread."""

    def __init__(self, queue: EncodeQueue, memory: AnswerMemory | None = None) -> None:
        self._queue = queue
        self._memory = AnswerMemory() if memory is None else memory

    def predict(
        self,
        case_id: int,
        objects: Sequence[PredictObject],
        sizes: TidySizes = lambda category: DEFAULT_TIDY,
        prefers_part: PrefersPart = lambda category: False,
    ) -> PredictReply:
        """Masks of objects from their clicks and boxes; what was painted and erased by hand stays.

        sizes: the islands and holes to remove from the masks of a category. prefers_part: whether the first click of
        an object of a category means a part where it may mean a part or the whole.

        A case that is not encoded yet goes to the head of the queue and is waited for. Raises KeyError for an unknown
        case, PromptError for an object without a prompt or with one off the image, ImageError for an image that
        cannot be read, DentasamError if the model could not be loaded.
        """
        ready = self._queue.image(case_id)
        started = time.perf_counter()
        frame, windows = ready.image.frame, ready.served.windows
        prompts = []
        for asked in objects:
            _check_prompts(asked, frame)
            clicks, previous = _click_rows(asked.clicks), None
            if asked.previous is not None:
                known, now = self._known(case_id, asked.id, ready, asked.previous), asked.previous
                edits = [(asked.painted, asked.erased)]
                previous = previous_answer(known, now, now, clicks, frame, windows=windows, edits=edits)
            prompts.append(ObjectPrompt(clicks, asked.box, previous))
        answers = self._decode(ready, prompts)
        parts = [prefers_part(asked.category) for asked in objects]
        choices = self._choices(ready, objects, parts, prompts, answers)
        found = []
        for asked, part, single, own in zip(objects, parts, answers, choices, strict=True):
            answer, shown = offered(single, own, prefer_part=part)
            # The answer last, so that it is the newest in the memory.
            masks = [self._mask(case_id, ready, asked, each, sizes) for each in (*shown, answer)]
            offers = [Choice(mask, each.score, _answered_by(each)) for mask, each in zip(masks, shown, strict=False)]
            reply = PredictedObject(asked.id, masks[-1], answer.score, _answered_by(answer))
            found.append(replace(reply, choices=tuple(offers)) if asked.choices else reply)
        return PredictReply(tuple(found), ready.served.identity, _seconds(ready, started), ready.picture)

    def refine(
        self, case_id: int, objects: Sequence[RefineObject], sizes: TidySizes = lambda category: DEFAULT_TIDY
    ) -> RefineReply:
        """Masks that follow what strokes changed; the pixels edited by hand stay. Raises as `predict`.

        sizes: as in `predict`; a hole where there was none is removed whatever its size. An object that no stroke
        changed and that has no click keeps its mask, with score 0.
        """
        ready = self._queue.image(case_id)
        started = time.perf_counter()
        frame, windows = ready.image.frame, ready.served.windows
        # Of each object, the pixels that its strokes set and those that they cleared.
        strokes = [
            (difference(asked.after, asked.before), difference(asked.before, asked.after)) for asked in objects
        ]
        clicks: list[list[Click]] = []
        prompts: dict[int, ObjectPrompt] = {}
        for index, (asked, edits) in enumerate(zip(objects, strokes, strict=True)):
            _check_clicks(asked.id, asked.clicks, frame)
            known = self._known(case_id, asked.id, ready, asked.before)
            kept = consistent_clicks(asked.clicks, asked.after, (*edits, asked.painted, asked.erased))
            # How fine a stroke's clicks can be depends on the window where they will be given.
            window = placed(known, asked.after, _click_rows(kept), frame, windows=windows)
            clicks.append([*kept, *clicks_of_stroke(asked.before, asked.after, window or frame)])
            if clicks[index]:
                rows, before, after = _click_rows(clicks[index]), asked.before, asked.after
                previous = previous_answer(known, before, after, rows, frame, windows=windows, edits=[edits])
                prompts[index] = ObjectPrompt(rows, None, previous)
        answers = dict(zip(prompts, self._decode(ready, list(prompts.values())), strict=True))
        found = []
        for index, (asked, (added, removed)) in enumerate(zip(objects, strokes, strict=True)):
            if index not in answers:
                found.append(RefinedObject(asked.id, asked.after, 0.0, clicks=tuple(clicks[index])))
                continue
            answer = answers[index]
            # The last strokes last: they stay even if the client has not added them to what was painted.
            mask = with_hand_edits(_box_mask(answer), asked.painted, asked.erased)
            mask = with_hand_edits(mask, added, removed)
            mask = tidied(
                mask,
                sizes(asked.category),
                clicks=clicks[index],
                painted=union(asked.painted, added),
                erased=union(asked.erased, removed),
                filled=asked.after,
            )
            self._memory.keep(case_id, asked.id, ready.picture, mask, answer)
            found.append(
                RefinedObject(asked.id, mask, answer.score, _answered_by(answer), clicks=tuple(clicks[index]))
            )
        return RefineReply(tuple(found), ready.served.identity, _seconds(ready, started), ready.picture)

    def _mask(
        self, case_id: int, ready: ReadyImage, asked: PredictObject, answer: ObjectAnswer, sizes: TidySizes
    ) -> BoxMask:
        """The mask that the page gets for an answer, which is kept for the object's next click."""
        by_hand = {"painted": asked.painted, "erased": asked.erased}
        mask = with_hand_edits(_box_mask(answer), **by_hand)
        mask = tidied(mask, sizes(asked.category), clicks=asked.clicks, **by_hand)
        self._memory.keep(case_id, asked.id, ready.picture, mask, answer)
        return mask

    def _choices(
        self,
        ready: ReadyImage,
        objects: Sequence[PredictObject],
        parts: Sequence[bool],
        prompts: Sequence[ObjectPrompt],
        answers: Sequence[ObjectAnswer],
    ) -> list[tuple[ObjectAnswer, ...]]:
        """What the first clicks of objects may mean; nothing for objects where that is not asked."""
        rows = [
            i
            for i, (asked, part) in enumerate(zip(objects, parts, strict=True))
            if (asked.choices or part) and asked.clicks and asked.previous is None
        ]
        found = ready.served.choices(ready.image, [prompts[i] for i in rows], [answers[i] for i in rows])
        by_row = dict(zip(rows, found, strict=True))
        return [by_row.get(i, ()) for i in range(len(objects))]

    def _known(self, case_id: int, object_id: str, ready: ReadyImage, mask: BoxMask) -> ObjectAnswer | None:
        """The model's own answer for this picture that gave this very mask, if it is among the object's last ones."""
        return self._memory.get(case_id, object_id, ready.picture, mask)

    def _decode(self, ready: ReadyImage, prompts: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
        use_threads(self._queue.threads)
        return ready.served.decode(ready.image, prompts)


def _box_mask(answer: ObjectAnswer) -> BoxMask:
    return BoxMask(*answer.mask).tight()


def _answered_by(answer: ObjectAnswer) -> AnsweredBy:
    return "whole" if answer.window is None else "window"


def _seconds(ready: ReadyImage, started: float) -> Seconds:
    return Seconds(ready.seconds, time.perf_counter() - started)


def _click_rows(clicks: Sequence[Click]) -> np.ndarray:
    return np.array(clicks, np.float32).reshape(-1, 3)


def _check_prompts(asked: PredictObject, frame: Frame) -> None:
    _check_clicks(asked.id, asked.clicks, frame)
    if asked.box is not None:
        _check_box(asked.id, asked.box, frame)
    elif not asked.clicks:
        raise PromptError(f"object {asked.id} has neither a click nor a box; give it one")


def _check_box(object_id: str, box: Box, frame: Frame) -> None:
    x0, y0, x1, y1 = box
    inside = x0 < x1 and y0 < y1 and x0 < frame.width and y0 < frame.height and x1 > 0 and y1 > 0
    if not (np.isfinite(box).all() and inside):
        raise PromptError(f"object {object_id}: the box {x0:g},{y0:g},{x1:g},{y1:g} misses the image")


def _check_clicks(object_id: str, clicks: Sequence[Click], frame: Frame) -> None:
    for x, y, label in clicks:
        if not (0 <= x < frame.width and 0 <= y < frame.height):
            raise PromptError(f"object {object_id}: the click {x:g},{y:g} lies off the image")
        if label not in (0, 1):
            raise PromptError(f"object {object_id}: a click is 1 (positive) or 0 (negative), not {label}")
