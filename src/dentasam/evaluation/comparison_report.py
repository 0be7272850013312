"""A comparison as a page, as a picture and as a Markdown table.

The panels show what the figures mean on an image: for every condition one image, and on it the objects that
gained and lost most. The image is the one whose mean gain is the median of its condition, so that it is
chosen by a rule and not for its looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.bootstrap import FEWEST_IMAGES, Intervals
from dentasam.evaluation.compare import Comparison
from dentasam.evaluation.figures import Curve, click_curves, difference_curves, to_png, to_svg
from dentasam.evaluation.overlays import (
    PREDICTION,
    TRUTH,
    close_up,
    close_up_box,
    data_uri,
    decoded,
    displayable,
    whole_image,
)
from dentasam.evaluation.report import render, shown_clicks
from dentasam.evaluation.result import NOC_THRESHOLDS, ObjectResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dentasam.data.dataset import Dataset, ImageRecord

CONDITIONS = ("blurred", "ambiguous-boundary", "overlap", "artifact")
MOST_PANELS = 8


@dataclass(frozen=True)
class Picture:
    """One panel: its address and what it shows."""

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


def comparison_page(comparison: Comparison, data: Path, images: Path | None = None) -> str:
    """comparison.html. `data` is the runs' dataset; where it is gone the page says so and has no panels.

    `images` is the folder of its images, where it is not one of the usual places.
    """
    panels: list[Panel] = []
    missing = f"{data} is not there; --dataset tells where it lies now"
    if not _has_masks(comparison):
        missing = "a run has no predictions.json"
    elif data.is_file():
        from dentasam.data.dataset import Dataset

        panels = side_by_side(comparison, Dataset.load(data, images))
        missing = "the dataset has changed since the runs"
    return render(
        "comparison.html.j2",
        comparison=comparison,
        base=comparison.base,
        clicks=comparison.base.clicks,
        steps=shown_clicks(comparison.base.clicks),
        thresholds=[str(t) for t in NOC_THRESHOLDS],
        curves=to_svg(click_curves(_curves(comparison))),
        difference_curves=to_svg(_difference_figure(comparison)),
        fewest_images=FEWEST_IMAGES,
        panels=panels,
        missing=missing,
    )


def comparison_picture(comparison: Comparison) -> bytes:
    """comparison.png: the click curves of all runs with their bands."""
    return to_png(click_curves(_curves(comparison)))


def comparison_table(comparison: Comparison) -> str:
    """comparison.md: Dice by click, then the end measures, then Dice by tag, each with its interval."""
    base = comparison.base
    columns = [_cell(name) for name in comparison.names]
    differences = [_cell(heading) for heading in comparison.headings]
    lines = [
        f"{len(base.objects)} objects in {base.images} images. Differences are paired by object; "
        f"95 % intervals from {comparison.resamples} resamples of images, none below {FEWEST_IMAGES} images.",
        "",
        *_table(["Dice@", *columns, *differences], _dice_rows(comparison)),
        "",
        *_table(["", *columns, *differences], _end_rows(comparison)),
    ]
    if comparison.differences[0].by_tag:
        steps = shown_clicks(base.clicks)
        for difference in comparison.differences:
            heading = [f"{_cell(difference.run)} − base, by tag", "objects", *(f"Dice@{k}" for k in steps)]
            rows = [
                [_cell(tag), str(part.objects), *(_signed(part.dice, k - 1) for k in steps)]
                for tag, part in difference.by_tag.items()
            ]
            lines += ["", *_table(heading, rows)]
    return "\n".join(lines) + "\n"


def side_by_side(comparison: Comparison, dataset: "Dataset") -> list[Panel]:
    """A panel for each of the bad-case conditions that the images carry, then for their other tags."""
    records = {record.id: record for record in dataset.images}
    present = {tag for item in comparison.base.objects for tag in item.tags}
    conditions = [tag for tag in CONDITIONS if tag in present]
    conditions += sorted(present - set(CONDITIONS))
    panels = []
    for condition in conditions[:MOST_PANELS] or [""]:
        image_id = _median_image(comparison, condition)
        record = records.get(image_id)
        if record is None or not _is_unchanged(record, comparison, image_id):
            continue
        panels.append(_panel(comparison, record, condition))
    return panels


def _panel(comparison: Comparison, record: "ImageRecord", condition: str) -> Panel:
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
    # all runs share the first click, so one box, made of it and the truth, serves them all
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


def _is_unchanged(record: "ImageRecord", comparison: Comparison, image_id: int) -> bool:
    measured = [item for item in comparison.base.objects if item.image_id == image_id]
    size = [record.height, record.width]
    return {item.object_id for item in measured} == {entry.id for entry in record.objects} and all(
        item.first is not None and item.first["size"] == size for item in measured
    )


def _has_masks(comparison: Comparison) -> bool:
    return all(any(item.first is not None for item in result.objects) for result in comparison.results)


def _curves(comparison: Comparison) -> list[Curve]:
    return [Curve(name, means.dice) for name, means in zip(comparison.names, comparison.means, strict=True)]


def _difference_figure(comparison: Comparison) -> "Figure":
    curves = [Curve(difference.run, difference.overall.dice) for difference in comparison.differences]
    return difference_curves(curves, comparison.names[0])


def _dice_rows(comparison: Comparison) -> list[list[str]]:
    return [
        [
            str(k + 1),
            *(f"{means.dice.mean[k]:.4f}" for means in comparison.means),
            *(_signed(difference.overall.dice, k) for difference in comparison.differences),
        ]
        for k in range(comparison.base.clicks)
    ]


def _end_rows(comparison: Comparison) -> list[list[str]]:
    """NoC, failures and boundary measures; failures as a count per run, as percentage points between runs."""
    rows = []
    deltas = [difference.overall for difference in comparison.differences]
    for i, threshold in enumerate(NOC_THRESHOLDS):
        rows.append(
            [
                f"NoC@{threshold}",
                *(f"{means.noc.mean[i]:.2f}" for means in comparison.means),
                *(_signed(delta.noc, i, digits=2) for delta in deltas),
            ]
        )
    for i, threshold in enumerate(NOC_THRESHOLDS):
        rows.append(
            [
                f"never IoU 0.{threshold}",
                *(f"{100 * means.failures.mean[i]:.1f} %" for means in comparison.means),
                *(_signed(_scaled(delta.failures, 100), i, digits=1) for delta in deltas),
            ]
        )
    for i, (name, digits) in enumerate((("HD95, px", 2), ("surface Dice at 2 px", 4))):
        rows.append(
            [
                name,
                *(f"{means.surface.mean[i]:.{digits}f}" for means in comparison.means),
                *(_signed(delta.surface, i, digits) for delta in deltas),
            ]
        )
    return rows


def _scaled(intervals: Intervals, factor: float) -> Intervals:
    return Intervals(intervals.mean * factor, intervals.low * factor, intervals.high * factor)


def _signed(intervals: Intervals, i: int, digits: int = 4) -> str:
    mean, low, high = (f"{part[i]:+.{digits}f}" for part in (intervals.mean, intervals.low, intervals.high))
    return mean if not np.isfinite(intervals.low[i]) else f"{mean} [{low}, {high}]"


def _table(heading: list[str], rows: list[list[str]]) -> list[str]:
    lines = [
        "| " + " | ".join(heading) + " |",
        "| " + " | ".join(["---"] + ["---:"] * (len(heading) - 1)) + " |",
    ]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
