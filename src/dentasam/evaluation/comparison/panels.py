"""The panels of a comparison: what its figures mean on an image.

For every condition there is one image, and on it the objects that gained and lost most. The image is the one with the
median gain among those of its condition, so that it is chosen by a rule and not for its looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dentasam.data.dataset import Dataset
from dentasam.data.images.pictures import PREDICTION, TRUTH, data_uri, displayable
from dentasam.data.record import ImageRecord
from dentasam.evaluation.comparison.comparison import Comparison
from dentasam.evaluation.overlays import close_up, close_up_box, decoded, whole_image
from dentasam.evaluation.result import ObjectResult

# Conditions that a page shows first, where there are images of them.
CONDITIONS = ("blurred", "ambiguous-boundary", "overlap", "artifact")
MAX_PANELS = 8


@dataclass(frozen=True)
class Picture:
    """One picture: its `data:` address and what it shows."""

    source: str
    caption: str


@dataclass(frozen=True)
class CloseUps:
    """One object side by side: image, truth, and every run's mask after the first click."""

    caption: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Panel:
    """One condition: a whole image side by side and close-ups of its objects."""

    condition: str
    image: str
    whole: list[Picture]
    objects: list[CloseUps]


def side_by_side(comparison: Comparison, dataset: Dataset) -> list[Panel]:
    """A panel for each bad-case condition among the images' tags, then for each of their other tags."""
    records = {record.id: record for record in dataset.images}
    present = {tag for item in comparison.base.objects for tag in item.tags}
    conditions = [tag for tag in CONDITIONS if tag in present]
    conditions += sorted(present - set(CONDITIONS))
    panels = []
    for condition in conditions[:MAX_PANELS] or [""]:
        image_id = _median_image(comparison, condition)
        record = records.get(image_id)
        if record is None or not _is_unchanged(record, comparison, image_id):
            continue
        panels.append(_panel(comparison, record, condition))
    return panels


def _panel(comparison: Comparison, record: ImageRecord, condition: str) -> Panel:
    image = displayable(record.read())
    masks = record.masks()
    truth = {entry.id: mask for entry, mask in zip(record.objects, masks, strict=True)}
    runs = [
        (name, {item.object_id: item for item in result.objects if item.image_id == record.id})
        for name, result in zip(comparison.names, comparison.results, strict=True)
    ]
    clicks = comparison.base.clicks
    whole = [
        Picture(data_uri(whole_image(image, [])), "image"),
        Picture(data_uri(whole_image(image, list(masks))), "truth"),
    ]
    for k in sorted({1, clicks}):
        for name, objects in runs:
            drawn = [decoded(objects[key].first if k == 1 else objects[key].final, image.shape) for key in truth]
            mean = np.mean([objects[key].dice[k - 1] for key in truth])
            caption = f"{name}, Dice@{k} {mean:.3f}"
            whole.append(Picture(data_uri(whole_image(image, drawn)), caption))

    gain = {key: runs[-1][1][key].dice[0] - runs[0][1][key].dice[0] for key in truth}
    chosen = {"gained most": max(gain, key=gain.__getitem__), "lost most": min(gain, key=gain.__getitem__)}
    shown: list[CloseUps] = []
    for what, key in chosen.items():
        if len(truth) == 1 and shown:
            break
        category = runs[0][1][key].category
        caption = f"{category}, {what} after 1 click ({gain[key]:+.3f})"
        shown.append(CloseUps(caption, _close_ups(image, truth[key], [(n, o[key]) for n, o in runs])))
    return Panel(condition, record.file_name, whole, shown)


def _close_ups(
    image: NDArray[np.uint8], truth: NDArray[np.bool_], runs: Sequence[tuple[str, ObjectResult]]
) -> list[Picture]:
    # All runs share the first click, so a box around it and the truth fits them all.
    box = close_up_box(truth, runs[0][1])
    pictures = [
        Picture(data_uri(close_up(image, box, width=300)), "image"),
        Picture(data_uri(close_up(image, box, [(truth, TRUTH)], width=300)), "truth"),
    ]
    for name, item in runs:
        outlines = [(truth, TRUTH), (decoded(item.first, truth.shape), PREDICTION)]
        drawn = close_up(image, box, outlines, item, clicks=1, width=300)
        pictures.append(Picture(data_uri(drawn), f"{name}, Dice@1 {item.dice[0]:.3f}"))
    return pictures


def _median_image(comparison: Comparison, condition: str) -> int:
    gains: dict[int, list[float]] = {}
    for before, after in zip(comparison.base.objects, comparison.results[-1].objects, strict=True):
        if not condition or condition in before.tags:
            gains.setdefault(before.image_id, []).append(after.dice[0] - before.dice[0])
    ranked = sorted(gains, key=lambda image_id: (float(np.mean(gains[image_id])), image_id))
    return ranked[(len(ranked) - 1) // 2]


def _is_unchanged(record: ImageRecord, comparison: Comparison, image_id: int) -> bool:
    measured = [item for item in comparison.base.objects if item.image_id == image_id]
    size = [record.height, record.width]
    return {item.object_id for item in measured} == {entry.id for entry in record.objects} and all(
        item.first is not None and item.first["size"] == size for item in measured
    )
