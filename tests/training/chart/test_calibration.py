"""The calibration of a chart's confidences, and the scores on the validation images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from dentasam.data.record import ImageRecord
from dentasam.model.chart.chart import Chart
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.training.chart.calibration import calibrate

from ...model.chart.maps import small_head

HEIGHT, WIDTH = 40, 200


@dataclass(frozen=True)
class Named:
    category: str


class GivenImage:
    """An image whose objects are squares of 20 pixels, by their number and where they begin."""

    def __init__(self, **objects: int) -> None:
        self.names = {name.removeprefix("t").split("_")[0]: x for name, x in objects.items()}
        self.objects = [Named(name) for name in self.names]

    def boxed_masks(self) -> list[BoxedMask]:
        return [square(x) for x in self.names.values()]


def square(x: int) -> BoxedMask:
    return BoxedMask(x, 10, np.ones((20, 20), bool))


def chart_of(found: list[tuple[str, int]], terms: list[float]) -> tuple[Chart, np.ndarray]:
    answers = tuple(ObjectAnswer(square(x), np.zeros((1, 1), np.float32), 0.9) for _, x in found)
    nothing = np.zeros((len(found), 4), np.float32)
    names = tuple(name for name, _ in found)
    chart = Chart(answers, nothing, nothing[:, :2], names, nothing[:, 0], HEIGHT, WIDTH)
    return chart, np.array([[own, 0.0, 0.0, 1.0] for own in terms]).reshape(-1, 4)


def test_scores_count_what_is_found_and_what_is_numbered_right() -> None:
    images = [GivenImage(t11=0, t12=30, t13=60, t14=90), GivenImage(t21=0), GivenImage()]
    charts = [
        # Right, with another number, too far off, and one where there is nothing; an implant counts for nothing.
        chart_of([("11", 2), ("22", 30), ("13", 72), ("15", 150), ("implant", 90)], [3.0, 1.0, -1.0, -2.0, 0.0]),
        chart_of([("21", 0)], [3.0]),
        chart_of([], []),
    ]
    given = dict(zip(map(id, images), charts, strict=True))
    head = small_head()
    scores = calibrate(head, cast("list[ImageRecord]", images), lambda image: given[id(image)])
    assert scores.precision == pytest.approx(3 / 5)
    assert scores.recall == pytest.approx(3 / 5)
    assert scores.f1 == pytest.approx(2 * 3 / (5 + 5))
    assert scores.numbered == pytest.approx(2 / 5)
    assert bool((head.calibration[:3] >= 0).all())


def test_confidences_are_fitted_to_how_often_a_chart_is_right() -> None:
    rng = np.random.default_rng(0)
    images, charts = [], []
    for place in range(200):
        surer = place % 2 == 0
        right = rng.random() < (0.9 if surer else 0.4)
        images.append(GivenImage(t11=0))
        charts.append(chart_of([("11" if right else "12", 0)], [2.0 if surer else -2.0]))
    given = dict(zip(map(id, images), charts, strict=True))
    head = small_head()
    calibrate(head, cast("list[ImageRecord]", images), lambda image: given[id(image)])
    terms = np.array([[2.0, 0, 0, 1], [-2.0, 0, 0, 1]])
    sure, unsure = 1 / (1 + np.exp(-terms @ head.calibration.double().numpy()))
    shares = [
        np.mean(
            [
                chart.numbers == ("11",)
                for (chart, _), place in zip(charts, range(200), strict=True)
                if place % 2 == odd
            ]
        )
        for odd in (0, 1)
    ]
    assert sure == pytest.approx(shares[0], abs=0.03)
    assert unsure == pytest.approx(shares[1], abs=0.03)


def test_a_surer_term_never_makes_a_chart_less_sure() -> None:
    # Here the surer ones are the wrong ones, as by chance in a handful of images.
    images = [GivenImage(t11=0) for _ in range(20)]
    charts = [chart_of([("12" if place % 2 else "11", 0)], [3.0 if place % 2 else -3.0]) for place in range(20)]
    given = dict(zip(map(id, images), charts, strict=True))
    head = small_head()
    calibrate(head, cast("list[ImageRecord]", images), lambda image: given[id(image)])
    assert float(head.calibration[0]) == 0


def test_without_any_found_object_the_calibration_stays() -> None:
    head = small_head()
    before = head.calibration.clone()
    image = GivenImage(t11=0)
    scores = calibrate(head, cast("list[ImageRecord]", [image]), lambda _: chart_of([], []))
    assert (scores.precision, scores.recall, scores.f1, scores.numbered) == (0, 0, 0, 0)
    assert bool((head.calibration == before).all())
