"""What the annotator's eye decides, on masks whose answer is plain."""

from typing import Any

import numpy as np
import pytest

from dentasam.cli.bench import benchmark

judgement = benchmark("annotator.judgement")


def block(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((60, 100), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def test_dice_of_half_an_overlap() -> None:
    assert judgement.dice(block(0, 0, 10, 10), block(5, 0, 10, 10)) == pytest.approx(0.5)
    assert judgement.dice(block(0, 0, 10, 10), block(50, 0, 10, 10)) == 0


def test_objects_are_the_teeth_that_they_cover() -> None:
    teeth = [judgement.Tooth("11", block(10, 10, 10, 30)), judgement.Tooth("21", block(25, 10, 10, 30))]
    masks = {
        "lower half": block(10, 28, 10, 12),
        "upper half": block(10, 10, 10, 18),
        "other": block(26, 12, 10, 30),
        "false": block(60, 10, 10, 30),
        "crumb": block(25, 10, 3, 3),
    }
    assert judgement.matched(masks, teeth) == {"upper half": 0, "other": 1}
    assert judgement.matched({}, teeth) == {}


def test_clicks_go_to_the_larger_error() -> None:
    truth = block(10, 10, 11, 31)
    none = np.zeros_like(truth)
    missed = truth & ~block(10, 20, 11, 21)
    assert judgement.next_click(missed, truth, none) == (15, 25, True)
    surplus = truth | block(40, 10, 15, 15)
    assert judgement.next_click(surplus, truth, none) == (47, 17, False)
    assert judgement.next_click(truth, truth, none) is None


def test_positive_clicks_keep_off_other_objects_and_far_places() -> None:
    truth = block(10, 10, 11, 41)
    mask = block(10, 10, 11, 20)
    click = judgement.next_click(mask, truth, block(0, 29, 40, 8))
    assert click.positive
    assert click.y >= 37
    assert judgement.next_click(mask, truth, block(0, 29, 40, 31)) is None
    near = judgement.next_click(mask, truth, np.zeros_like(mask), reach=4)
    assert near.positive
    assert 30 <= near.y <= 33


def numbers(text: str) -> dict[str, Any]:
    """Objects named by what they are: 'true=shown'."""
    return dict(each.split("=") for each in text.split())


def test_a_shift_moves_the_run_behind_a_tooth() -> None:
    shown = numbers("34=34 35=36 36=37 37=38 45=45 11=11")
    moved = judgement.shifted(shown, frozenset(), "35", "mesial")
    assert moved == {"35": "35", "36": "36", "37": "37"}
    # Accepted ones stay, and then 36 would be there twice.
    assert judgement.shifted(shown, frozenset({"36"}), "37", "mesial") == {}
    # Nothing beyond 38.
    assert judgement.shifted(shown, frozenset(), "35", "distal") == {}
    # Onto the tooth before.
    assert judgement.shifted(shown, frozenset(), "36", "mesial") == {}
    assert judgement.shifted({"a": "implant"}, frozenset(), "a", "distal") == {}


def test_deciduous_runs_end_at_the_second_molar() -> None:
    assert judgement.shifted(numbers("74=75"), frozenset(), "74", "distal") == {}
    assert judgement.shifted(numbers("74=73 75=74"), frozenset(), "74", "distal") == {"74": "74", "75": "75"}


def test_a_run_is_shifted_only_where_that_sets_more_right_than_typing() -> None:
    def direction(text: str, start: str) -> str | None:
        shown = numbers(text)
        found: str | None = judgement.worthwhile_shift(shown, {id: id for id in shown}, frozenset(), start)
        return found

    assert direction("34=34 35=36 36=37 37=38", "35") == "mesial"
    assert direction("14=13 15=14 16=15", "14") == "distal"
    # One alone is typed; so is one before teeth that are right.
    assert direction("34=34 37=38", "37") is None
    assert direction("35=36 37=37 38=38", "35") is None
    # Two right for one wrong is no better than typing one.
    assert direction("15=14 16=15 18=17 17=16", "15") == "distal"
