"""The intervals hold what they promise: coverage over images, and exactness where nothing varies."""

import numpy as np
import pytest

from dentasam.evaluation import bootstrap
from dentasam.evaluation.bootstrap import MIN_IMAGES, cluster_bootstrap


def draw(rng: np.random.Generator, images: int, shift: float = 0.0) -> tuple[np.ndarray, list[int]]:
    """Objects of one image share most of their deviation, as teeth of one radiograph do."""
    sizes = rng.integers(5, 15, images)
    clusters = np.repeat(np.arange(images), sizes)
    values = shift + rng.normal(0, 1, images)[clusters] + rng.normal(0, 0.5, len(clusters))
    return values[:, None], clusters.tolist()


@pytest.mark.parametrize("images", [10, 40])
def test_intervals_cover_the_true_mean_as_often_as_they_say(images: int) -> None:
    rng = np.random.default_rng(0)
    rounds, inside = 400, 0
    for seed in range(rounds):
        values, clusters = draw(rng, images)
        interval = cluster_bootstrap(values, clusters, resamples=600, seed=seed)
        inside += bool(interval.low[0] <= 0 <= interval.high[0])
    # 95 % less four standard errors of 400 rounds; resampling objects alone covers about half
    assert 0.905 <= inside / rounds <= 0.99


def test_no_difference_gives_an_interval_of_zero_width_that_does_not_exclude_zero() -> None:
    interval = cluster_bootstrap(np.zeros((60, 3)), list(range(20)) * 3, resamples=200)
    assert (interval.low == 0).all()
    assert (interval.high == 0).all()
    assert not interval.excludes_zero.any()


def test_a_clear_gain_excludes_zero_and_its_mean_lies_inside() -> None:
    values, clusters = draw(np.random.default_rng(1), images=30, shift=2.0)
    interval = cluster_bootstrap(np.hstack([values, -values]), clusters)
    assert interval.excludes_zero.all()
    assert (interval.low < interval.mean).all()
    assert (interval.mean < interval.high).all()
    assert interval.mean[0] == pytest.approx(values.mean())
    assert interval.low[0] == pytest.approx(-interval.high[1], abs=0.02)


def test_same_seed_same_interval_and_images_of_any_name() -> None:
    values, clusters = draw(np.random.default_rng(2), images=12)
    first = cluster_bootstrap(values, clusters, seed=7)
    again = cluster_bootstrap(values, [f"image {c}" for c in clusters], seed=7)
    other = cluster_bootstrap(values, clusters, seed=8)
    assert first.low == again.low
    assert first.low != other.low


def test_drawing_in_parts_to_bound_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, clusters = draw(np.random.default_rng(3), images=50)
    whole = cluster_bootstrap(values, clusters, resamples=500)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 50 * 33)
    parts = cluster_bootstrap(values, clusters, resamples=500)
    assert (whole.low, whole.high) == (parts.low, parts.high)


def test_width_is_that_of_students_t_on_the_images_means() -> None:
    values, clusters = draw(np.random.default_rng(3), images=50)
    interval = cluster_bootstrap(values, clusters, resamples=4000)
    spread = np.array([values[np.array(clusters) == c].mean() for c in range(50)]).std(ddof=1) / 50**0.5
    width = interval.high[0] - interval.low[0]
    assert width == pytest.approx(2 * 2.01 * spread, rel=0.15)  # Student's t with 49 degrees of freedom


def test_too_few_images_have_a_mean_but_no_interval() -> None:
    values = np.arange(20.0)[:, None]
    few = cluster_bootstrap(values, [i % (MIN_IMAGES - 1) for i in range(20)])
    enough = cluster_bootstrap(values, [i % MIN_IMAGES for i in range(20)])
    assert few.mean == enough.mean == 9.5
    assert np.isnan(few.low).all()
    assert not few.excludes_zero.any()
    assert np.isfinite(enough.low).all()
