"""Prompts of objects as the network takes them: in its frame, all objects in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.windows.box_click import box_click
from dentasam.model.windows.objects import ObjectPrompt
from dentasam.model.windows.window import Window


def network_prompts(
    prompts: Sequence[ObjectPrompt],
    views: Sequence[Frame | Window],
    logits: Sequence[np.ndarray | None],
    image: Tensor | None = None,
) -> Prompts:
    """What the network is given: clicks and boxes in its frame, and the logits that are fed back.

    Objects may have different numbers of clicks, boxes and logits: what one lacks is absent (see `Prompts`). A click
    that the object's window does not show is absent too, because there is nothing of the object. In a window a click
    stands for the box (see `box_click.py`).

    views: where each object is decoded, all of one shape. image: (P,), which embedding each belongs to; None for one.
    """
    clicks = [_clicks(*each) for each in zip(prompts, views, logits, strict=True)]
    most = max((len(rows) for rows in clicks), default=0)
    points = np.zeros((len(prompts), most, 2), np.float32)
    labels = np.full((len(prompts), most), -1, np.int64)
    boxes = np.full((len(prompts), 4), np.nan, np.float32)
    for i, (prompt, view, rows) in enumerate(zip(prompts, views, clicks, strict=True)):
        if len(rows):
            points[i, : len(rows)] = view.points_to_frame(rows[:, :2])
            labels[i, : len(rows)] = rows[:, 2]
        if prompt.box is not None and isinstance(view, Frame):
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
        image,
    )


def _clicks(prompt: ObjectPrompt, view: Frame | Window, logits: np.ndarray | None) -> np.ndarray:
    """The clicks (k, 3) that the network is given, in image pixels: the box's first, then the object's own."""
    own = np.asarray(prompt.clicks, np.float64).reshape(-1, 3)
    if isinstance(view, Frame):
        return own
    shown = [row for row in own if view.holds(float(row[0]), float(row[1]))]
    if prompt.box is not None:
        shown = [*box_click(prompt.box, own, logits, view), *shown]
    return np.array(shown, np.float64).reshape(-1, 3)
