"""The click loop: what it asks the segmenter, and that an object that is done keeps its result."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import DatasetError, OutputError
from dentasam.evaluation import evaluate as evaluate_module
from dentasam.evaluation.curve import click_curve
from dentasam.evaluation.evaluate import Progress, evaluate


def test_a_perfect_segmenter_scores_one_and_is_asked_once_per_image(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, bench.perfect)
    result = evaluate(segmenter, dataset, clicks=4)
    metrics = result.metrics()
    assert metrics["dice_at_clicks"] == metrics["iou_at_clicks"] == [1.0] * 4
    assert metrics["noc"] == {"80": 1.0, "85": 1.0, "90": 1.0}
    assert metrics["failures"] == {"80": 0, "85": 0, "90": 0}
    assert metrics["surface"] == {"hd95_px": 0.0, "nsd_2px": 1.0}
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
    found = click_curve(segmenter, segmenter.encode(record.read()), record.masks(), clicks=4)
    assert segmenter.calls == [(3, 1), (2, 2), (1, 3), (1, 4)]
    assert (found.dice[0] == 1).all()
    assert found.dice[1, 0] < 1
    assert (found.dice[1, 1:] == 1).all()
    assert (found.dice[2] < 1).all()
    assert found.labels.tolist() == [[1, -1, -1, -1], [1, 0, -1, -1], [1, 0, 0, 0]]
    assert (found.final[0] == record.masks()[0]).all()
    assert (found.first[1] != found.final[1]).any()


def test_many_objects_are_decoded_in_parts_with_the_same_result(
    bench: Any, dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(bench.segmenter(dataset, bench.grown(2)), dataset, clicks=3)
    monkeypatch.setattr(evaluate_module, "OBJECTS_PER_CALL", 2)
    segmenter = bench.segmenter(dataset, bench.grown(2))
    parts = evaluate(segmenter, dataset, clicks=3)
    assert parts.objects == whole.objects
    assert max(count for count, _ in segmenter.calls) == 2


def test_an_empty_prediction_counts_as_the_worst_and_is_clicked_again(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, lambda mask, clicks: mask & (clicks > 1))
    result = evaluate(segmenter, dataset, clicks=2, limit=1)
    assert result.dice().tolist() == [[0, 1]] * 3
    never = evaluate(bench.segmenter(dataset, lambda mask, clicks: mask & False), dataset, clicks=3)
    metrics = never.metrics()
    assert metrics["dice_at_clicks"] == [0, 0, 0]
    assert metrics["noc"]["90"] == 3
    assert metrics["failures"]["90"] == metrics["objects"] == 24
    assert metrics["surface"] == {"hd95_px": pytest.approx(np.hypot(64, 96), abs=1e-4), "nsd_2px": 0}
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
