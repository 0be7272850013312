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
from numpy.typing import NDArray

from dentasam.data.masks import rle
from dentasam.errors import DatasetError
from dentasam.evaluation.curve import ClickCurve, click_curve
from dentasam.evaluation.metrics import surface_fit
from dentasam.evaluation.prediction import OBJECTS_PER_CALL
from dentasam.evaluation.result import ObjectResult, Result, Rle
from dentasam.evaluation.run_folder import RUN_FILES, claim_folder, write_run

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset, ImageRecord
    from dentasam.model.segmenter import Segmenter


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
) -> Result:
    """Measure a segmenter on a dataset and, with `out`, write the run folder.

    Every image is encoded once, and its objects are decoded together.

    limit: measure the first images only. progress: called after each image.
    Raises DatasetError where there is nothing to measure, OutputError where `out` is in use.
    """
    if out is not None:
        claim_folder(out, RUN_FILES, overwrite)
    records = [record for record in dataset.images if record.objects][:limit]
    if not records:
        raise DatasetError(f"{dataset.path}: has no objects to measure; annotate some or give another file")

    objects: list[ObjectResult] = []
    encode = decode = 0.0
    for done, record in enumerate(records, start=1):
        image = record.read()
        started = time.perf_counter()
        embedding = segmenter.encode(image)
        _wait_for_device(embedding)
        encode += time.perf_counter() - started
        truth = record.masks()
        for start in range(0, len(truth), OBJECTS_PER_CALL):
            part = slice(start, start + OBJECTS_PER_CALL)
            curve = click_curve(segmenter, embedding, truth[part], clicks)
            decode += curve.seconds
            objects += _object_results(record, start, truth[part], curve)
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
    )
    if out is not None:
        # matplotlib takes a second to import, which a command that stops at a wrong argument should not wait for.
        from dentasam.evaluation.report import run_report

        write_run(result, dataset, run_report(result, dataset), out)
    return result


def _object_results(
    record: "ImageRecord", start: int, truth: NDArray[np.bool_], curve: ClickCurve
) -> list[ObjectResult]:
    results = []
    for i, mask in enumerate(truth):
        labelled = record.objects[start + i]
        fit = surface_fit(curve.final[i], mask)
        given = curve.labels[i] >= 0
        results.append(
            ObjectResult(
                image_id=record.id,
                image=record.file_name,
                object_id=labelled.id,
                category=labelled.category,
                tags=tuple(record.tags),
                area=int(np.count_nonzero(mask)),
                dice=tuple(curve.dice[i].tolist()),
                iou=tuple(curve.iou[i].tolist()),
                hd95_px=fit.hd95,
                nsd_2px=fit.nsd,
                points=tuple((float(x), float(y)) for x, y in curve.points[i][given]),
                labels=tuple(curve.labels[i][given].tolist()),
                first=_rle(curve.first[i]),
                final=_rle(curve.final[i]),
                score=float(curve.scores[i]),
            )
        )
    return results


def _rle(mask: NDArray[np.bool_]) -> Rle:
    height, width = mask.shape
    return {"size": [height, width], "counts": rle.to_string(rle.encode(mask), height, width)}


def _wait_for_device(embedding: Any) -> None:
    # A GPU works in the background: without this, the encoder's time would count as that of the first decode.
    features = getattr(embedding, "features", None)
    if features is not None and features.is_cuda:
        import torch

        torch.cuda.synchronize(features.device)
