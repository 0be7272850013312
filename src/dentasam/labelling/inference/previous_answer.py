"""The answer that an object's next click corrects: the model's own, or one made from a mask that it did not give.

the model gave the mask      ->  its logits, in the window that shows mask and clicks now
anybody else did             ->  logits of the mask, in a window around it
painted or erased since      ->  the logits there are certain
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dentasam.labelling.inference.hand_edits import mask_logits, with_hand_logits
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.core.frame import Frame
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.placement import Box, box_window, first_window, following_window
from dentasam.model.windows.window import BoxedMask, Window

# The score of a mask that the model did not give: whoever gave it is sure.
SURE = 1.0

Edits = Iterable[tuple[BoxMask | None, BoxMask | None]]


def previous_answer(
    known: ObjectAnswer | None,
    given: BoxMask,
    now: BoxMask,
    clicks: np.ndarray,
    frame: Frame,
    *,
    windows: bool,
    edits: Edits = (),
) -> ObjectAnswer:
    """The answer for a mask of the page, where the next click will be decoded.

    known: the model's answer that gave the mask `given`, None if it did not. now: the mask after the edits by hand.
    clicks: (k, 3) all that the model will be given. edits: pixels painted and pixels erased, the newest last.
    windows: False keeps to the whole image.
    """
    window = placed(known, now, clicks, frame, windows=windows)
    view = frame if window is None else window
    logits = mask_logits(given, view) if known is None else known.logits_in(window, frame)
    answered = known.answered if known is not None and known.window == window else None
    for painted, erased in edits:
        edited = with_hand_logits(logits, painted, erased, view)
        answered = answered if np.array_equal(edited, logits) else None
        logits = edited
    return ObjectAnswer(_boxed(now), logits, SURE if known is None else known.score, window, answered=answered)


def placed(
    known: ObjectAnswer | None, mask: BoxMask, clicks: np.ndarray, frame: Frame, *, windows: bool
) -> Window | None:
    """The window that shows a mask and its clicks: the known answer's as long as it does. None is the whole image."""
    boxed = _boxed(mask)
    if not windows:
        return None
    if known is None:
        box = Box.of_mask(boxed)
        window = None if box is None else box_window(box, frame)
        return None if window is None else following_window(window, boxed, clicks, frame)
    if known.window is None:
        window, useful = first_window(boxed, known.score, clicks, frame)
        return window if useful else None
    return following_window(known.window, boxed, clicks, frame)


def _boxed(mask: BoxMask) -> BoxedMask:
    tight = mask.tight()
    return BoxedMask(tight.x, tight.y, tight.bits)
