"""The click loop: what it asks the segmenter, and that an object that is done keeps its result."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dentasam.data.phantom import generate
from dentasam.errors import DatasetError, OutputError
from dentasam.evaluation.curve import Proposal, click_curve
from dentasam.evaluation.evaluate import Progress, evaluate
from dentasam.evaluation.metrics import overlap
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectPrompt
from dentasam.prompts.correction_clicks import boxed_interior_centre, correction_clicks, interior_centre


def test_a_perfect_segmenter_scores_one_and_is_asked_once_per_image(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, bench.perfect)
    result = evaluate(segmenter, dataset, clicks=4)
    metrics = result.metrics()
    assert metrics["dice_at_clicks"] == metrics["iou_at_clicks"] == [1.0] * 4
    assert metrics["noc"] == {"80": 1.0, "85": 1.0, "90": 1.0}
    assert metrics["failures"] == {"80": 0, "85": 0, "90": 0}
    assert metrics["surface"] == {
        "hd95_px": 0.0, "nsd_2px": 1.0, "hd95_permille": 0.0, "nsd_1permille": 1.0, "hd95_mm": None,
        "objects_with_mm": 0,
    }  # fmt: skip
    assert segmenter.encoded == metrics["images"] == 8
    assert segmenter.calls == [(3, 1)] * 8  # all objects together, and no second click
    assert all(item.labels == (1,) for item in result.objects)


def test_each_click_corrects_and_is_given_with_all_before_it(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, bench.grown(2))
    result = evaluate(segmenter, dataset, clicks=5, limit=1)
    dice = result.dice()
    assert (np.diff(dice[:, :3], axis=1) > 0).all()
    assert (dice[:, 2:] == 1).all()
    assert segmenter.calls == [(3, 1), (3, 2), (3, 3)]
    for item in result.objects:
        assert item.labels == (1, 0, 0)  # the mask was too large: two negative clicks
        assert len(item.points) == 3


def test_objects_without_a_further_click_leave_the_batch_and_keep_their_values(bench: Any, dataset: Any) -> None:
    def change(mask: np.ndarray, clicks: int) -> np.ndarray:
        left = np.flatnonzero(mask.any(axis=0))[0]
        if left < 30:
            return mask  # perfect at once
        return bench.grown(1)(mask, clicks) if left < 60 else bench.grown(9)(mask, clicks)

    segmenter = bench.segmenter(dataset, change)
    record = dataset.images[0]
    image = record.read()
    view = segmenter.windows(image, segmenter.encode(image))
    found = click_curve(view, record.boxed_masks(), clicks=4)
    assert segmenter.calls == [(3, 1), (2, 2), (1, 3), (1, 4)]
    assert (found.dice[0] == 1).all()
    assert found.dice[1, 0] < 1
    assert (found.dice[1, 1:] == 1).all()
    assert (found.dice[2] < 1).all()
    assert found.labels.tolist() == [[1, -1, -1, -1], [1, 0, -1, -1], [1, 0, 0, 0]]
    first, final = ([mask.on_image(*image.shape) for mask in masks] for masks in (found.first, found.final))
    assert (final[0] == record.masks()[0]).all()
    assert (first[1] != final[1]).any()


@pytest.fixture(scope="module")
def bundled() -> Segmenter:
    return load("dentasam-tiny", adapter="panoramic-teeth", device="cpu", precision="fp32").merged()


def test_without_windows_and_repair_it_is_the_loop_over_whole_masks(bundled: Segmenter) -> None:
    phantom = generate(5, 500, 250)
    truth = np.stack([item.mask for item in phantom.objects][:6])
    embedding = bundled.encode(phantom.image)
    view = bundled.windows(phantom.image, embedding, windows=False, repair=False)
    found = click_curve(view, [BoxedMask(0, 0, mask).tight() for mask in truth], clicks=4)

    points, labels = interior_centre(truth)[:, None], np.ones((len(truth), 1), np.int64)
    logits = None
    for k in range(4):
        predicted = bundled.predict(embedding, points, labels, logits=logits)
        dice, iou = overlap(predicted.masks, truth)
        np.testing.assert_array_equal(found.dice[:, k], dice)
        np.testing.assert_array_equal(found.iou[:, k], iou)
        np.testing.assert_array_equal(found.points[:, : k + 1], points)
        np.testing.assert_array_equal(found.labels[:, : k + 1], labels)
        x, y = points[:, k].astype(int).T
        inside = predicted.masks[np.arange(len(truth)), y, x]
        np.testing.assert_array_equal(found.unheeded[:, k], inside != (labels[:, k] == 1))
        correction = correction_clicks(predicted.masks, truth)
        assert correction.found.all()
        points = np.concatenate([points, correction.points[:, None]], axis=1)
        labels = np.concatenate([labels, correction.labels[:, None]], axis=1)
        logits = predicted.logits
    np.testing.assert_array_equal([mask.on_image(250, 500) for mask in found.final], predicted.masks)
    assert not found.windowed.any()
    assert not found.repaired.any()


def test_a_proposal_stands_in_place_of_the_first_click_and_its_answer(bundled: Segmenter) -> None:
    phantom = generate(5, 500, 250)
    truth = [BoxedMask(0, 0, item.mask).tight() for item in phantom.objects][:4]
    view = bundled.windows(phantom.image)
    expected = click_curve(view, truth, clicks=3)
    clicks = [boxed_interior_centre(mask) for mask in truth]
    answers = view.decode([ObjectPrompt(np.array([[x, y, 1.0]])) for x, y in clicks])
    proposals = [Proposal(answer, click) for answer, click in zip(answers, clicks, strict=True)]
    found = click_curve(view, truth, clicks=3, proposals=proposals)
    for name in ("dice", "iou", "points", "labels", "unheeded", "repaired", "windowed", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (found.labels[:, 2] >= 0).any()  # there was something to correct


def test_repaired_clicks_are_heeded_and_counted(bundled: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = SamHQ.decode

    def of_first_click(self: SamHQ, embedding: ImageEmbedding, given: Prompts, **options: Any) -> MaskPrediction:
        first = replace(given, points=given.points[:, :1], labels=given.labels[:, :1]).with_masks(None)
        return decode(self, embedding, first, **options)

    # A model that heeds no correction, so that every one of them has to be repaired.
    monkeypatch.setattr(SamHQ, "decode", of_first_click)
    phantom = generate(5, 500, 250)
    truth = [BoxedMask(0, 0, item.mask).tight() for item in phantom.objects][:6]
    with_repair = click_curve(bundled.windows(phantom.image, windows=False), truth, clicks=4)
    without = click_curve(bundled.windows(phantom.image, windows=False, repair=False), truth, clicks=4)
    assert without.unheeded[:, 1:].all()
    assert not without.repaired.any()
    assert not with_repair.unheeded.any()
    # The later corrections differ between the runs: an earlier repair changes what is left to correct.
    same = (with_repair.points[:, 1] == without.points[:, 1]).all(axis=1)
    assert same.any()
    assert with_repair.repaired[same, 1].all()


def test_an_empty_prediction_counts_as_the_worst_and_is_clicked_again(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, lambda mask, clicks: mask & (clicks > 1))
    result = evaluate(segmenter, dataset, clicks=2, limit=1)
    assert result.dice().tolist() == [[0, 1]] * 3
    never = evaluate(bench.segmenter(dataset, lambda mask, clicks: mask & False), dataset, clicks=3)
    metrics = never.metrics()
    assert metrics["dice_at_clicks"] == [0, 0, 0]
    assert metrics["noc"]["90"] == 3
    assert metrics["failures"]["90"] == metrics["objects"] == 24
    assert metrics["surface"]["hd95_px"] == pytest.approx(np.hypot(64, 96), abs=1e-4)
    assert metrics["surface"]["nsd_2px"] == metrics["surface"]["nsd_1permille"] == 0
    assert all(item.labels == (1, 1, 1) for item in never.objects)


def test_progress_counts_images_and_shows_running_means(bench: Any, dataset: Any) -> None:
    steps: list[Progress] = []
    result = evaluate(bench.segmenter(dataset, bench.grown(2)), dataset, clicks=2, progress=steps.append, limit=5)
    assert [(step.images, step.total, step.objects) for step in steps] == [(i, 5, 3 * i) for i in range(1, 6)]
    assert steps[-1].dice_first == pytest.approx(result.dice()[:, 0].mean())
    assert steps[-1].dice_last == pytest.approx(result.dice()[:, -1].mean())


def test_a_folder_in_use_is_refused_before_the_work(bench: Any, dataset: Any, tmp_path: Path) -> None:
    segmenter = bench.segmenter(dataset, bench.perfect)
    evaluate(segmenter, dataset, clicks=1, out=tmp_path / "run", limit=1)
    before = (tmp_path / "run" / "metrics.json").read_text()
    with pytest.raises(OutputError, match="--overwrite"):
        evaluate(segmenter, dataset, clicks=2, out=tmp_path / "run")
    assert segmenter.encoded == 1
    assert (tmp_path / "run" / "metrics.json").read_text() == before
    evaluate(segmenter, dataset, clicks=2, out=tmp_path / "run", overwrite=True, limit=1)
    assert '"clicks": 2' in (tmp_path / "run" / "metrics.json").read_text()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        evaluate(segmenter, dataset, clicks=1, out=tmp_path / "file")


def test_a_dataset_without_objects_is_refused(bench: Any, dataset: Any) -> None:
    from dataclasses import replace

    bare = replace(dataset, images=tuple(replace(record, objects=()) for record in dataset.images))
    with pytest.raises(DatasetError, match="no objects"):
        evaluate(bench.segmenter(dataset, bench.perfect), bare)


def test_images_that_are_measured_at_a_time_keep_their_order_and_results(dataset: Any, bench: Any) -> None:
    one, several = bench.segmenter(dataset, bench.grown(2)), bench.segmenter(dataset, bench.grown(2))
    several.images_at_once = 3
    seen: list[int] = []
    threads = torch.get_num_threads()
    expected = evaluate(one, dataset, clicks=4)
    result = evaluate(several, dataset, clicks=4, progress=lambda progress: seen.append(progress.images))
    assert result.objects == expected.objects
    assert [item.image_id for item in result.objects] == [
        record.id for record in dataset.images for _ in record.objects
    ]
    assert seen == list(range(1, len(dataset.images) + 1))
    assert several.encoded == len(dataset.images)
    # A thread of Python begins with torch's last number of threads, whichever thread set it.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == threads
