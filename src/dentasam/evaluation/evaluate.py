"""Measure a segmenter on a dataset: the click curve of every object, and the folder that keeps the results.

evaluate  ->  click_curve (curve.py)  ->  Result (result.py)  ->  report.html (report.py)
                                                              ->  the files of the folder (run_folder.py)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dentasam.data.masks import rle
from dentasam.data.teeth.category_kind import is_part
from dentasam.errors import DatasetError
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.curve import ClickCurve, click_curve
from dentasam.evaluation.metrics import boxed_surface_fit
from dentasam.evaluation.result import ObjectResult, Result, Rle
from dentasam.evaluation.run_folder import CURVE, claim_run, kept_beside, write_run
from dentasam.evaluation.several_at_once import several_at_once

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset, ImageRecord
    from dentasam.model.segmenter import Segmenter
    from dentasam.model.windows.boxed_mask import BoxedMask


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is; the Dice values are means over the objects measured so far."""

    images: int
    total: int
    objects: int
    dice_first: float
    dice_last: float


def evaluate(
    segmenter: "Segmenter",
    dataset: "Dataset",
    clicks: int = 11,
    out: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    windows: bool = True,
    repair: bool = True,
) -> Result:
    """Measure a segmenter on a dataset and, with `out`, write the run folder.

    Every image is encoded once, and its objects are decoded together. On a CPU, as many images are measured at a time
    as torch has threads, each in one: threads that share an image wait for each other half of the time.

    limit: measure the first images only. progress: called after each image.
    windows: decode each object in a window cut from the image's own pixels, where the model can; else on the whole
    image. repair: enforce clicks that the mask still contradicts.
    Charts that `out` holds of the same model and dataset stay (`evaluate_charts.py`). Raises DatasetError where there
    is nothing to measure, OutputError where `out` is in use.
    """
    charts = None
    if out is not None:
        claim_run(out, CURVE, overwrite)
        charts = kept_beside(out, CURVE, segmenter.name, segmenter.adapter, str(dataset.path), overwrite)
    records = [record for record in dataset.images if record.objects][:limit]
    if not records:
        raise DatasetError(f"{dataset.path}: has no objects to measure; annotate some or give another file")

    objects: list[ObjectResult] = []
    encode = decode = 0.0

    def measure(record: "ImageRecord") -> _MeasuredImage:
        return _measured_image(segmenter, record, clicks, windows, repair)

    for done, measured in enumerate(several_at_once(measure, records, segmenter.images_at_once), start=1):
        objects += measured.objects
        encode += measured.encode
        decode += measured.decode
        if progress is not None:
            dice = np.array([(item.dice[0], item.dice[-1]) for item in objects]).mean(axis=0)
            progress(Progress(done, len(records), len(objects), float(dice[0]), float(dice[1])))

    result = Result(
        model=segmenter.name,
        adapter=segmenter.adapter,
        dataset=str(dataset.path),
        clicks=clicks,
        objects=tuple(objects),
        seconds={"encode": encode / len(records), "decode": decode / len(records)},
        precision=segmenter.precision,
        windows=measured.uses_windows,
        repair=measured.uses_repair,
    )
    if out is not None:
        # matplotlib takes a second to import, which a command that stops at a wrong argument should not wait for.
        from dentasam.evaluation.report import run_report

        assert charts is None or isinstance(charts, ChartResult)
        write_run(result, charts, CURVE, dataset, run_report(result, charts, dataset), out)
    return result


@dataclass(frozen=True)
class _MeasuredImage:
    """encode, decode: seconds."""

    objects: list[ObjectResult]
    encode: float
    decode: float
    uses_windows: bool
    uses_repair: bool


def _measured_image(
    segmenter: "Segmenter", record: "ImageRecord", clicks: int, windows: bool, repair: bool
) -> _MeasuredImage:
    found = image_curve(segmenter, record, clicks, windows, repair)
    objects = _object_results(record, found.truth, found.curve)
    return _MeasuredImage(objects, found.encode, found.curve.seconds, found.uses_windows, found.uses_repair)


@dataclass(frozen=True)
class ImageCurve:
    """The click curve of an image's objects and their true masks. encode: seconds."""

    truth: "list[BoxedMask]"
    curve: ClickCurve
    encode: float
    uses_windows: bool
    uses_repair: bool


def image_curve(
    segmenter: "Segmenter", record: "ImageRecord", clicks: int, windows: bool = True, repair: bool = True
) -> ImageCurve:
    """Encodes an image and simulates the annotator on all of its objects; see `evaluate` for the options."""
    image = record.read()
    started = time.perf_counter()
    embedding = segmenter.encode(image)
    wait_for_device(embedding)
    encode = time.perf_counter() - started
    view = segmenter.windows(image, embedding, windows=windows, repair=repair, objects=len(record.objects))
    truth = record.boxed_masks()
    curve = click_curve(view, truth, clicks, [is_part(item.category) for item in record.objects])
    return ImageCurve(truth, curve, encode, view.uses_windows, view.uses_repair)


def _object_results(record: "ImageRecord", truth: "list[BoxedMask]", curve: ClickCurve) -> list[ObjectResult]:
    results = []
    size = record.height, record.width
    mm_per_px = record.mm_per_pixel()
    for i, (labelled, mask) in enumerate(zip(record.objects, truth, strict=True)):
        fit = boxed_surface_fit(curve.final[i], mask, size, (2.0, record.width / 1000))
        given = int(np.count_nonzero(curve.labels[i] >= 0))
        results.append(
            ObjectResult(
                image_id=record.id,
                image=record.file_name,
                object_id=labelled.id,
                category=labelled.category,
                tags=tuple(record.tags),
                area=int(np.count_nonzero(mask.bits)),
                dice=tuple(curve.dice[i].tolist()),
                iou=tuple(curve.iou[i].tolist()),
                hd95_px=fit.hd95,
                nsd_2px=fit.nsd[0],
                points=tuple((float(x), float(y)) for x, y in curve.points[i, :given]),
                labels=tuple(curve.labels[i, :given].tolist()),
                first=mask_rle(curve.first[i], *size),
                final=mask_rle(curve.final[i], *size),
                score=float(curve.scores[i]),
                width=record.width,
                mm_per_px=mm_per_px,
                nsd_1permille=fit.nsd[1],
                unheeded=tuple(curve.unheeded[i, :given].tolist()),
                repaired=tuple(curve.repaired[i, :given].tolist()),
                windowed=tuple(curve.windowed[i, :given].tolist()),
            )
        )
    return results


def mask_rle(mask: "BoxedMask", height: int, width: int) -> Rle:
    """A mask of an image as COCO RLE."""
    return {"size": [height, width], "counts": rle.to_string(rle.encode_box(*mask, height, width), height, width)}


def wait_for_device(embedding: Any) -> None:
    """Returns when an embedding is computed, so that its time can be taken."""
    # A GPU works in the background: without this, the encoder's time would count as that of the first decode.
    features = getattr(embedding, "features", None)
    if features is not None and features.is_cuda:
        import torch

        torch.cuda.synchronize(features.device)
