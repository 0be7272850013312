"""The click curve: what a segmenter makes of every object of a dataset, click by click."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dentasam.data.masks import rle
from dentasam.errors import DatasetError
from dentasam.evaluation.metrics import overlap, surface_fit
from dentasam.evaluation.result import ObjectResult, Result, Rle
from dentasam.evaluation.run_folder import RUN_FILES, claim_folder
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset, ImageRecord
    from dentasam.model.embedding import ImageEmbedding
    from dentasam.model.segmenter import Segmenter

# masks at the image's resolution are held for this many objects at once: 60 MB at 2900x1250
OBJECTS_PER_CALL = 16


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is; the Dice values are means over the objects measured so far."""

    images: int
    total: int
    objects: int
    dice_first: float
    dice_last: float


@dataclass(frozen=True)
class ClickCurve:
    """P objects over k clicks.

    dice, iou: (P, k); points: (P, k, 2) x, y image px; labels: (P, k), -1 where no click was needed any more;
    first, final: (P, H, W) masks after the first and the last click; scores: (P,) the model's own estimate of
    final's IoU; seconds: spent in the decoder.
    """

    dice: NDArray[np.float64]
    iou: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    first: NDArray[np.bool_]
    final: NDArray[np.bool_]
    scores: NDArray[np.float64]
    seconds: float


def click_curve(
    segmenter: "Segmenter", embedding: "ImageEmbedding", truth: NDArray[np.bool_], clicks: int = 11
) -> ClickCurve:
    """Simulate an annotator on P objects (P, H, W) of one encoded image.

    The first click goes to the interior centre, each further one to where the last mask is most wrong, at the
    image's own resolution; the last mask's logits are fed back. An object whose mask is perfect has nothing
    to correct: it leaves the batch and keeps its result. All that remain have the same number of clicks, so
    the point lists never need padding (which would change the output a little).
    """
    count = len(truth)
    dice, iou = np.zeros((count, clicks)), np.zeros((count, clicks))
    points, labels = np.zeros((count, clicks, 2)), np.full((count, clicks), -1, dtype=np.int64)
    final = np.zeros(truth.shape, dtype=bool)
    first = final
    estimates = np.zeros(count)
    seconds = 0.0

    active = np.arange(count)
    logits: NDArray[np.float32] | None = None
    points[:, 0], labels[:, 0] = interior_centre(truth), 1
    for k in range(clicks):
        started = time.perf_counter()
        prediction = segmenter.predict(embedding, points[active, : k + 1], labels[active, : k + 1], logits=logits)
        seconds += time.perf_counter() - started
        final[active] = prediction.masks
        estimates[active] = prediction.scores
        after = overlap(prediction.masks, truth[active])
        dice[active, k:], iou[active, k:] = after[0][:, None], after[1][:, None]
        if k == 0:
            first = final.copy()
        if k + 1 == clicks:
            break
        correction = correction_clicks(prediction.masks, truth[active])
        active = active[correction.found]
        if not active.size:
            break
        points[active, k + 1] = correction.points[correction.found]
        labels[active, k + 1] = correction.labels[correction.found]
        logits = prediction.logits[correction.found]
    return ClickCurve(dice, iou, points, labels, first, final, estimates, seconds)


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

    Every image is encoded once; all its objects are decoded together. `limit` takes the first images only.
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
        from dentasam.evaluation.run_folder import write_run

        write_run(result, dataset, out)
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
    # GPU work is queued: without this the encoder's time would be booked on the first decode
    features = getattr(embedding, "features", None)
    if features is not None and features.is_cuda:
        import torch

        torch.cuda.synchronize(features.device)
