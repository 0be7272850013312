"""One to one, by masks alone; what is ignored counts nowhere."""

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import DatasetError
from dentasam.evaluation.charts.ground_truth import (
    chart_name,
    check_numbered,
    dentition,
    ground_truth,
    mainly_ignored,
)
from dentasam.evaluation.charts.matching import matches
from dentasam.model.windows.boxed_mask import BoxedMask


def box(x: int, width: int, height: int = 10) -> BoxedMask:
    return BoxedMask(x, 0, np.ones((height, width), bool))


def test_pairs_have_the_greatest_sum_of_ious_and_not_the_nearest_first() -> None:
    # The second found mask fits both true ones; the first fits only the first true one.
    true = [box(0, 10), box(4, 10)]
    found = [box(2, 10), box(-2 + 2, 10)]
    pairs = {(pair.true, pair.found) for pair in matches(true, found, threshold=0.3)}
    assert pairs == {(0, 1), (1, 0)}


@pytest.mark.parametrize(("shift", "found"), [(3, True), (4, False)])
def test_the_threshold_is_on_iou(shift: int, found: bool) -> None:
    pairs = matches([box(0, 10)], [box(shift, 10)])  # IoU 7/13, 6/14
    assert bool(pairs) == found
    if found:
        assert pairs[0].iou == pytest.approx(7 / 13)
        assert pairs[0].dice == pytest.approx(14 / 20)


def test_the_best_sum_is_that_of_all_assignments() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        true = [box(int(x), 10) for x in rng.integers(0, 25, 4)]
        found = [box(int(x), int(w)) for x, w in zip(rng.integers(0, 25, 4), rng.integers(7, 13, 4), strict=True)]

        def iou(a: BoxedMask, b: BoxedMask) -> float:
            common = max(0, min(a.x + a.bits.shape[1], b.x + b.bits.shape[1]) - max(a.x, b.x))
            value = common / (a.bits.shape[1] + b.bits.shape[1] - common)
            return value if value >= 0.5 else 0.0

        best = max(sum(iou(true[i], found[j]) for i, j in enumerate(order)) for order in permutations(range(4)))
        assert sum(pair.iou for pair in matches(true, found)) == pytest.approx(best)


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("11", "11"), ("85", "85"), ("48", "48"), ("implant", "implant"), ("Dental Implant", "implant"),
        ("supernumerary", "supernumerary"), ("Supernumerary tooth", "supernumerary"),
        ("19", None), ("86", None), ("1", None), ("implant crown", None), ("filling", None), ("tooth", None),
        ("١١", None),
    ],
)  # fmt: skip
def test_what_a_category_is_called_in_a_chart(category: str, name: str | None) -> None:
    assert chart_name(category) == name


def test_what_is_no_tooth_is_ignored_but_not_on_true_teeth(charts: Any, tmp_path: Path) -> None:
    filling = charts.square(0)
    filling[:10] = False
    image = charts.image(
        [*charts.true(["18"]), ("filling", filling), ("crown", charts.square(3))], [], crowds=[charts.square(5)]
    )
    truth = ground_truth(charts.build(tmp_path, [image]).images[0])
    assert [item.number for item in truth.objects] == ["18"]
    expected = charts.square(3) | charts.square(5)
    np.testing.assert_array_equal(truth.ignored, expected)

    def inside(place: int, shift: int = 0) -> bool:
        return mainly_ignored(BoxedMask(0, 0, charts.square(place, shift)).tight(), truth)

    assert not inside(0)  # a second object on a tooth with a filling
    assert inside(3)
    assert inside(3, shift=5)  # half of it
    assert not inside(3, shift=-6)
    assert inside(5)
    assert not mainly_ignored(BoxedMask(0, 0, np.zeros((0, 0), bool)), truth)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["11", "48"], "permanent"),
        (["55"], "deciduous"),
        (["55", "16"], "mixed"),
        (["implant"], "none"),
        ([], "none"),
    ],
)
def test_dentitions(numbers: list[str], expected: str) -> None:
    assert dentition(numbers) == expected


def test_a_dataset_without_fdi_names_is_refused_with_the_names_it_has(charts: Any, tmp_path: Path) -> None:
    names = [f"part {i}" for i in range(10)]
    image = charts.image([(name, charts.square(i)) for i, name in enumerate(names)], [])
    with pytest.raises(DatasetError, match="FDI number") as caught:
        check_numbered(charts.build(tmp_path, [image]))
    line = str(caught.value)
    assert "'part 0'" in line
    assert "and 2 more" in line
    assert "11 to 48" in line
    assert "test.json" in line
