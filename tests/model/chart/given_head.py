"""A head that sees what it is told, and an image on which exactly that is bright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dentasam.model.chart.dentition import IMPLANT, NOT_A_TOOTH, OUTCOME_OF, OUTCOMES
from dentasam.model.chart.detections import box_overlaps
from dentasam.model.chart.finder import CELL, IMPLANT_KIND, TOOTH, FinderMaps
from dentasam.model.chart.head import ChartHead
from dentasam.model.core.frame import Frame

from .maps import empty_maps, mark


@dataclass(frozen=True)
class Thing:
    """What the finder sees: its name, its box x0, y0, x1, y1 in image pixels, and the logit of its middle.

    sure: the probability that the numberer gives its name.
    """

    name: str
    box: tuple[float, float, float, float]
    logit: float = 4.0
    sure: float = 0.999

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


class GivenFinder(nn.Module):
    """Sees the same things in every image of one size, whatever its features are."""

    def __init__(self, things: Sequence[Thing], frame: Frame) -> None:
        super().__init__()
        self.things, self.frame = things, frame

    def forward(self, features: Tensor, fine: Tensor) -> FinderMaps:
        return maps_of(self.things, self.frame)


class GivenNumberer(nn.Module):
    """Takes each object for the thing in whose place it lies; `nothing`: those indices are no teeth."""

    def __init__(self, things: Sequence[Thing], frame: Frame, nothing: Sequence[int] = ()) -> None:
        super().__init__()
        self.things = [thing for thing in things if thing.name != IMPLANT]
        self.frame, self.nothing = frame, list(nothing)

    def probabilities(self, boxes: Tensor, shapes: Tensor, seen: Tensor, known: Tensor, width: float) -> Tensor:
        corners = np.array([thing.box for thing in self.things], np.float32).reshape(-1, 2, 2)
        nearest = box_overlaps(boxes.numpy(), self.frame.points_to_frame(corners).reshape(-1, 4)).argmax(axis=1)
        found = torch.zeros(len(boxes), OUTCOMES, dtype=torch.float64)
        for row, own in enumerate(nearest):
            thing = self.things[own]
            found[row] = (1 - thing.sure) / (OUTCOMES - 1)
            found[row, OUTCOME_OF[thing.name]] = thing.sure
        found[self.nothing] = torch.nn.functional.one_hot(torch.tensor(NOT_A_TOOTH), OUTCOMES).double()
        return found


class GivenHead(nn.Module):
    """A `ChartHead` of a `GivenFinder`."""

    def __init__(self, things: Sequence[Thing], frame: Frame, nothing: Sequence[int] = ()) -> None:
        super().__init__()
        self.finder, self.numberer = GivenFinder(things, frame), GivenNumberer(things, frame, nothing)
        self.register_buffer("calibration", torch.tensor([1.0, 1.0, 0.0, 0.0]))


def given_head(things: Sequence[Thing], frame: Frame, nothing: Sequence[int] = ()) -> ChartHead:
    """nothing: places of detections, the surest first, that the numberer takes for no teeth."""
    return cast(ChartHead, GivenHead(things, frame, nothing))


def maps_of(things: Sequence[Thing], frame: Frame) -> FinderMaps:
    """Maps that give exactly the boxes of things, with their middles as clicks."""
    maps = empty_maps(frame.rows, frame.cols)
    for thing in things:
        x0, y0, x1, y1 = frame.points_to_frame(np.array(thing.box).reshape(2, 2)).reshape(4) / CELL
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        row, column = int(y), int(x)
        kind = IMPLANT_KIND if thing.name == IMPLANT else TOOTH
        mark(
            maps, kind, row, column, thing.logit, (x - column - 0.5, y - row - 0.5), (x - x0, y - y0, x1 - x, y1 - y)
        )
    return maps


def drawn(things: Sequence[Thing], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image with a bright ellipse in each box, and the ellipses as masks (P, H, W) bool."""
    masks = np.zeros((len(things), height, width), np.uint8)
    for mask, thing in zip(masks, things, strict=True):
        x0, y0, x1, y1 = thing.box
        axes = (x1 - x0) / 2, (y1 - y0) / 2
        centre = tuple(round(16 * (part - 0.5)) for part in thing.middle)
        cv2.ellipse(mask, centre, tuple(round(16 * part) for part in axes), 0, 0, 360, 1, -1, shift=4)
    image: np.ndarray = np.where(masks.any(0), 140, 20).astype(np.uint8)
    return image, masks.astype(bool)
