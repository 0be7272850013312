"""Measure a segmenter's charts on a dataset: every tooth found and numbered without a prompt, then corrected.

evaluate_charts  ->  Segmenter.chart, matched to the truth  ->  ChartResult (charts/chart_result.py)
                     click_curve from there on (curve.py)   ->  report.html, the files of the folder (run_folder.py)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dentasam.evaluation.charts.chart_metrics import MEASURES, mean_of
from dentasam.evaluation.charts.chart_result import ChartImage, ChartObject, ChartResult
from dentasam.evaluation.charts.ground_truth import GroundTruth, check_numbered, ground_truth, mainly_ignored
from dentasam.evaluation.charts.matching import matches
from dentasam.evaluation.curve import Proposal, click_curve
from dentasam.evaluation.evaluate import mask_rle, wait_for_device
from dentasam.evaluation.result import Result
from dentasam.evaluation.run_folder import CHART, claim_run, kept_beside, write_run
from dentasam.evaluation.several_at_once import several_at_once
from dentasam.model.chart.dentition import NUMBERS

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset, ImageRecord
    from dentasam.model.chart.chart import Chart
    from dentasam.model.segmenter import Segmenter
    from dentasam.model.windows.windowed_image import WindowedImage


@dataclass(frozen=True)
class ChartProgress:
    """How far an evaluation is; numbered: share of the teeth so far found and numbered right."""

    images: int
    total: int
    numbered: float
    errors_per_chart: float


def evaluate_charts(
    segmenter: Segmenter,
    dataset: Dataset,
    clicks: int = 11,
    out: Path | None = None,
    progress: Callable[[ChartProgress], None] | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    windows: bool = True,
    repair: bool = True,
) -> ChartResult:
    """Chart every image that has objects, compare with its teeth and, with `out`, write the run folder.

    clicks: corrections of each found object, on top of the chart's mask. The other arguments are those of `evaluate`,
    whose click curve stays where `out` holds one of the same model and dataset.
    Raises DatasetError where no category is an FDI number, ChartError where the model has no chart head, OutputError
    where `out` is in use.
    """
    curve = None
    check_numbered(dataset)
    if out is not None:
        claim_run(out, CHART, overwrite)
        curve = kept_beside(out, CHART, segmenter.name, segmenter.adapter, str(dataset.path), overwrite)
    records = [record for record in dataset.images if record.objects][:limit]

    def measure(record: ImageRecord) -> _MeasuredChart:
        return _measured_chart(segmenter, record, clicks, windows, repair)

    measured: list[_MeasuredChart] = []
    for done in several_at_once(measure, records, segmenter.images_at_once):
        measured.append(done)
        if progress is not None:
            so_far = [item.image for item in measured]
            numbered, errors = (mean_of(so_far, MEASURES[name]) for name in ("numbered", "errors_per_chart"))
            progress(ChartProgress(len(measured), len(records), numbered or 0.0, errors or 0.0))

    # It takes a while to import, and so does matplotlib.
    from dentasam.evaluation.charts.average_precision import average_precision

    images = tuple(item.image for item in measured)
    result = ChartResult(
        model=segmenter.name,
        adapter=segmenter.adapter,
        dataset=str(dataset.path),
        clicks=clicks,
        images=images,
        ap=average_precision(records, images),
        seconds={
            "encode": sum(item.encode for item in measured) / len(measured),
            "chart": sum(item.image.seconds for item in measured) / len(measured),
            "corrections": sum(item.corrections for item in measured) / len(measured),
        },
        precision=segmenter.precision,
        windows=measured[-1].uses_windows,
        repair=measured[-1].uses_repair,
        head=segmenter.chart_sha256,
    )
    if out is not None:
        from dentasam.evaluation.report import run_report

        assert curve is None or isinstance(curve, Result)
        write_run(curve, result, CHART, dataset, run_report(curve, result, dataset), out)
    return result


@dataclass(frozen=True)
class _MeasuredChart:
    """encode, corrections: seconds."""

    image: ChartImage
    encode: float
    corrections: float
    uses_windows: bool
    uses_repair: bool


def _measured_chart(
    segmenter: Segmenter, record: ImageRecord, clicks: int, windows: bool, repair: bool
) -> _MeasuredChart:
    image = record.read()
    started = time.perf_counter()
    embedding = segmenter.encode(image)
    wait_for_device(embedding)
    encoded = time.perf_counter()
    view = segmenter.windows(image, embedding, windows=windows, repair=repair, objects=len(NUMBERS))
    chart = segmenter.chart(view, windows=windows)
    charted = time.perf_counter()
    objects, corrections = chart_objects(ground_truth(record), chart, view, clicks)
    measured = ChartImage(record.id, record.file_name, tuple(record.tags), tuple(objects), charted - encoded)
    return _MeasuredChart(measured, encoded - started, corrections, view.uses_windows, view.uses_repair)


def chart_objects(
    truth: GroundTruth, chart: Chart, view: WindowedImage, clicks: int
) -> tuple[list[ChartObject], float]:
    """A chart against its truth, each found object corrected; and the seconds that the corrections took.

    True objects come first, in their order, then what was found elsewhere, in the chart's order.
    """
    masks = [answer.mask for answer in chart.answers]
    pairs = matches([item.mask for item in truth.objects], masks)
    proposals = [
        Proposal(chart.answers[pair.found], (float(chart.clicks[pair.found, 0]), float(chart.clicks[pair.found, 1])))
        for pair in pairs
    ]
    true = [truth.objects[pair.true].mask for pair in pairs]
    curve = click_curve(view, true, clicks + 1, proposals=proposals)
    matched = {pair.true: (pair, tuple(dice.tolist())) for pair, dice in zip(pairs, curve.dice, strict=True)}
    objects = []
    for place, labelled in enumerate(truth.objects):
        missed = ChartObject(labelled.id, labelled.number, None)
        if place in matched:
            pair, dice = matched[place]
            objects.append(replace(_found(chart, pair.found, missed), iou=pair.iou, dice=dice))
        else:
            objects.append(missed)
    for place in sorted(set(range(len(masks))) - {pair.found for pair in pairs}):
        ignored = mainly_ignored(masks[place], truth)
        objects.append(_found(chart, place, ChartObject(None, None, None, ignored=ignored)))
    return objects, curve.seconds


def _found(chart: Chart, place: int, item: ChartObject) -> ChartObject:
    """The object with what the chart has found for it."""
    answer = chart.answers[place]
    return replace(
        item,
        found_number=chart.numbers[place],
        # As single-precision numbers, 0.9 and 0.95 are a little less than that.
        confidence=round(float(chart.confidences[place]), 6),
        score=round(float(answer.score), 6),
        mask=mask_rle(answer.mask, chart.height, chart.width),
    )
