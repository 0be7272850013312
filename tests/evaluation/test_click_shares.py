"""Shares of unheeded, repaired and repeated clicks, counted by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dentasam.evaluation.bootstrap import cluster_bootstrap, share_bootstrap
from dentasam.evaluation.click_shares import repeated_clicks
from dentasam.evaluation.evaluate import evaluate


def test_a_click_is_repeated_near_an_earlier_one_of_its_sign() -> None:
    # 0.35 % of 2,000 pixels are 7.
    points = [(100.0, 50.0), (107.0, 50.0), (100.0, 57.5), (101.0, 50.0), (107.0, 57.0), (300.0, 300.0)]
    labels = [1, 1, 1, 0, 0, 1]
    assert repeated_clicks(points, labels, 2000) == (False, True, False, False, False, False)
    assert repeated_clicks(points, labels, 3000) == (False, True, True, False, True, False)
    assert repeated_clicks([], [], 2000) == ()


def test_shares_are_of_the_clicks_that_were_given(bench: Any, dataset: Any) -> None:
    result = evaluate(bench.segmenter(dataset, bench.grown(1)), dataset, clicks=3, limit=1)
    a, b, c = result.objects
    events = replace(
        result,
        objects=(
            # A first click outside its mask is not a correction that was not heeded.
            replace(a, labels=(1, 0, 0), points=((5.0, 5.0), (9.0, 9.0), (9.0, 9.0)), unheeded=(True, True, False),
                    repaired=(True, False, False), windowed=(False, True, True)),
            replace(b, labels=(1, 1), points=((5.0, 5.0), (5.0, 5.2)), unheeded=(False, False),
                    repaired=(False, True), windowed=(True, True)),
            replace(c, labels=(1,), points=((5.0, 5.0),), unheeded=(False,), repaired=(False,), windowed=(True,)),
        ),
    )  # fmt: skip
    metrics = events.metrics()
    assert metrics["clicks_given"] == [3, 2, 1]
    assert metrics["unheeded_at_clicks"] == [0, 0.5, 0]
    assert metrics["repaired_at_clicks"] == [pytest.approx(1 / 3, abs=1e-6), 0.5, 0]
    assert metrics["repeated_at_clicks"] == [0, 0.5, 1]
    assert metrics["corrections"] == {
        "given": 3,
        "unheeded": pytest.approx(1 / 3, abs=1e-6),
        "repaired": pytest.approx(1 / 3, abs=1e-6),
        "repeated": pytest.approx(2 / 3, abs=1e-6),
    }
    assert metrics["first_click_missed"] == pytest.approx(1 / 3, abs=1e-6)
    assert metrics["answers"] == {"window": 5, "whole_image": 1}


def test_a_click_that_nobody_gave_is_in_no_share(bench: Any, dataset: Any) -> None:
    metrics = evaluate(bench.segmenter(dataset, bench.perfect), dataset, clicks=3).metrics()
    assert metrics["clicks_given"] == [24, 0, 0]
    assert metrics["unheeded_at_clicks"] == metrics["repeated_at_clicks"] == [0, 0, 0]


def test_the_interval_of_a_share_is_that_of_its_clicks() -> None:
    rng = np.random.default_rng(3)
    images = np.repeat(np.arange(12), 5)
    given = rng.integers(0, 2, (60, 2))
    hits = given * rng.integers(0, 2, (60, 2))
    found = share_bootstrap(hits, given, images.tolist(), resamples=400, seed=1)
    np.testing.assert_allclose(found.mean, hits.sum(axis=0) / given.sum(axis=0))
    # A mean over the clicks given, with the objects that have none left out, is the same share.
    values = np.where(given > 0, hits, np.nan).astype(float)
    for column in range(2):
        alone = cluster_bootstrap(values[:, column : column + 1], images.tolist(), resamples=400, seed=1)
        np.testing.assert_allclose(alone.mean, found.mean[column : column + 1])
        np.testing.assert_allclose(alone.low, found.low[column : column + 1])
    base = share_bootstrap(hits, given, images.tolist(), (hits, given), resamples=50)
    assert (base.mean == 0).all()
    assert (base.low == 0).all()
    other = share_bootstrap(given, given, images.tolist(), (hits, given), resamples=50)
    np.testing.assert_allclose(other.mean, 1 - found.mean)
