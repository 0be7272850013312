"""The correction click of training: the clicks of `correction_clicks.py` for masks that are tensors.

On a CUDA device they are computed there, for all objects together; elsewhere the masks go through OpenCV. Both give
the same pixels, ties and draws included, so that training does not depend on where it runs. The schedule in
`click_schedule.py` says which iterations get a click, and `training/step/click_through.py` asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dentasam.errors import PromptError
from dentasam.prompts import correction_clicks as clicks
from dentasam.prompts.regions import largest_region, squared_depth


@dataclass(frozen=True)
class TensorClicks:
    """One click for each of P objects, on the device of the masks, with the fields of `correction_clicks.Clicks`."""

    points: Tensor
    labels: Tensor
    found: Tensor


def interior_centre(masks: Tensor) -> Tensor:
    """The interior centre of each mask, (P, h, w) bool to (P, 2) float32 x, y.

    Raises `PromptError` for an empty mask, but not on a CUDA device, where that would be a device synchronisation:
    there the point of an empty mask is its first pixel.
    """
    if not on_device(masks.device):
        return torch.from_numpy(clicks.interior_centre(masks.cpu().numpy())).to(masks.device)
    return _deepest(masks)


def correction_clicks(
    prediction: Tensor, truth: Tensor, draws: Tensor | None = None, centred: np.ndarray | None = None
) -> TensorClicks:
    """Where to click next; prediction, truth: (P, h, w) bool.

    draws: (P,) float64 in 0..1, which of its wrong pixels each object gets a click on; None for the interior centre
        of the largest wrong region. On a CUDA device, draws need no device synchronisation; the largest region does.
    centred: (P,) bool, which objects are clicked at that centre although there are draws; None for none.
    Raises `PromptError` for tensors of different shapes.
    """
    if prediction.shape != truth.shape:
        raise PromptError(f"prediction {tuple(prediction.shape)} and truth {tuple(truth.shape)} differ in shape")
    if not on_device(truth.device):
        shares = None if draws is None else draws.cpu().numpy()
        return _to_tensors(
            clicks.correction_clicks(prediction.cpu().numpy(), truth.cpu().numpy(), shares, centred), truth.device
        )
    wrong = prediction != truth
    found = wrong.flatten(1).any(dim=1)
    points = _centre_of_worst(wrong, truth) if draws is None else _drawn(wrong, draws)
    if draws is not None and centred is not None and centred.any():
        rows = torch.from_numpy(np.flatnonzero(centred)).to(truth.device)
        points[rows] = _centre_of_worst(wrong[rows], truth[rows])
    points = points * found[:, None]
    column, row = points.long().unbind(dim=1)
    positive = truth.flatten(1).gather(1, (row * truth.shape[2] + column)[:, None])[:, 0]
    return TensorClicks(points, (positive & found).long(), found)


def on_device(device: torch.device) -> bool:
    """Whether clicks are computed where the masks are."""
    return device.type == "cuda"


def _to_tensors(found: clicks.Clicks, device: torch.device) -> TensorClicks:
    parts: tuple[np.ndarray, ...] = (found.points, found.labels, found.found)
    return TensorClicks(*(torch.from_numpy(part).to(device) for part in parts))


def _centre_of_worst(wrong: Tensor, truth: Tensor) -> Tensor:
    objects = len(wrong)
    areas, regions = largest_region(torch.cat([wrong & truth, wrong & ~truth]))
    missed = areas[:objects] >= areas[objects:]
    return _deepest(torch.where(missed[:, None, None], regions[:objects], regions[objects:]))


def _deepest(regions: Tensor) -> Tensor:
    return _places(squared_depth(regions).flatten(1).argmax(dim=1), regions.shape[2])


def _drawn(wrong: Tensor, draws: Tensor) -> Tensor:
    """The wrong pixel whose rank in reading order is the draw's share of their number."""
    ranks = wrong.flatten(1).cumsum(dim=1)
    rank = (draws * ranks[:, -1]).long() + 1
    pixel = torch.searchsorted(ranks, rank[:, None])[:, 0].clamp(max=ranks.shape[1] - 1)
    return _places(pixel, wrong.shape[2])


def _places(pixels: Tensor, width: int) -> Tensor:
    return torch.stack([pixels % width, pixels // width], dim=1).float()
