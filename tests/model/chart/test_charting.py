"""Charts of images on which the finder's view, and what is bright, are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentasam.model.chart.charting import (
    MAX_FINER,
    MIN_IMPLANT,
    MIN_PRESENCE,
    chart_of,
    chart_with_terms,
    confidence_terms,
)
from dentasam.model.chart.dentition import IMPLANT, PERMANENT
from dentasam.model.core.frame import Frame

from ..windows.bright_network import BrightNetwork
from ..windows.scenes import bright, dice
from .given_head import Thing, drawn, given_head

HEIGHT, WIDTH = 500, 1100
FRAME = Frame.of(HEIGHT, WIDTH)


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def tooth(name: str, place: int, row: int = 0, logit: float = 4.0) -> Thing:
    """A tooth of the upper (0) or lower (1) row; places count from the left, 60 pixels each."""
    x, y = 60.0 + 60 * place, (90.0, 290.0)[row]
    return Thing(name, (x, y, x + 44, y + 130), logit)


UPPER = [tooth(name, place) for place, name in enumerate(("17", "16", "15", "55", "13", "12", "11", "21", "22"))]
LOWER = [tooth(name, place + 2, 1) for place, name in enumerate(("46", "45", "44", "43", "42", "41", "31", "32"))]
OTHERS = [Thing(IMPLANT, (800, 290, 840, 420)), Thing("supernumerary", (760, 90, 800, 220))]


def test_every_object_comes_out_once_in_chart_order() -> None:
    things = [*LOWER, *OTHERS, *UPPER[::-1]]
    image, masks = drawn(things, HEIGHT, WIDTH)
    chart = chart_of(given_head(things, FRAME), bright(image))
    in_order = [*UPPER, *LOWER, OTHERS[1], OTHERS[0]]  # what has no number: from left to right
    assert chart.numbers == tuple(thing.name for thing in in_order)
    assert chart.boxes == pytest.approx(np.array([thing.box for thing in in_order]), abs=0.01)
    # A click is given as pixels are: whole numbers are centres of pixels.
    assert chart.clicks == pytest.approx(np.array([thing.middle for thing in in_order]) - 0.5, abs=0.01)
    true = {thing.name: mask for thing, mask in zip(things, masks, strict=True)}
    for name, mask in zip(chart.numbers, chart.masks, strict=True):
        assert dice(mask, true[name]) > 0.97, name
    assert (chart.height, chart.width) == (HEIGHT, WIDTH)
    assert chart.boxes.dtype == chart.clicks.dtype == chart.confidences.dtype == np.float32
    there = {thing.name for thing in (*UPPER, *LOWER)} - {"55"} | {"15"}
    assert chart.missing == tuple(number for number in PERMANENT if number not in there)
    assert chart.scores.tolist() == pytest.approx([0.9] * len(things))
    assert chart.uncertainty == pytest.approx(1 - float(chart.confidences.mean()))


def test_the_worst_masks_are_decoded_again_in_windows_around_their_boxes() -> None:
    things = [*UPPER, *LOWER]
    image, _ = drawn(things, HEIGHT, WIDTH)
    network = BrightNetwork()
    chart = chart_of(given_head(things, FRAME), bright(image, network))
    finer = [row for row, answer in enumerate(chart.answers) if answer.window is not None]
    assert len(finer) == MAX_FINER < len(things)
    assert sum(network.encoded) == MAX_FINER
    for row in finer:
        window, (x0, y0, x1, y1) = chart.answers[row].window, chart.boxes[row]
        assert window is not None
        assert window.holds(x0, y0)
        assert window.holds(x1 - 1, y1 - 1)
    # A box that its mask fits badly is among them.
    off = [
        replace(thing, box=(*thing.box[:3], thing.box[3] + 60)) if thing is UPPER[2] else thing for thing in things
    ]
    chart = chart_of(given_head(off, FRAME), bright(image))
    assert chart.answers[chart.numbers.index(UPPER[2].name)].window is not None


@pytest.mark.parametrize(("finer", "expected"), [(0, 0), (1, 1), (None, 17)])
def test_as_many_masks_as_asked_for_are_decoded_in_windows(finer: int | None, expected: int) -> None:
    things = [*UPPER, *LOWER]
    image, _ = drawn(things, HEIGHT, WIDTH)
    chart = chart_of(given_head(things, FRAME), bright(image), finer)
    assert sum(answer.window is not None for answer in chart.answers) == expected


def test_without_windows_the_whole_image_answers_clicks_alone() -> None:
    image, masks = drawn(UPPER, HEIGHT, WIDTH)
    network = BrightNetwork()
    chart = chart_of(given_head(UPPER, FRAME), bright(image, network, windows=False))
    assert network.encoded == []
    assert all(answer.window is None for answer in chart.answers)
    assert chart.numbers == tuple(thing.name for thing in UPPER)
    assert min(dice(mask, true) for mask, true in zip(chart.masks, masks, strict=True)) > 0.9


def test_an_image_without_teeth_has_an_empty_chart() -> None:
    chart = chart_of(given_head([], FRAME), bright(np.full((HEIGHT, WIDTH), 20, np.uint8)))
    assert (len(chart), chart.numbers, chart.missing) == (0, (), PERMANENT)
    assert chart.masks.shape == (0, HEIGHT, WIDTH)
    assert (chart.boxes.shape, chart.clicks.shape) == ((0, 4), (0, 2))
    assert chart.confidences.shape == chart.scores.shape == (0,)
    assert chart.uncertainty == 1


def test_a_mask_that_a_surer_one_covers_is_left_out() -> None:
    # Two boxes of one bright tooth, which overlap too little to be one peak.
    first = Thing("16", (200, 100, 240, 200), logit=3.0)
    second = Thing("17", (200, 165, 240, 265), logit=2.0)
    both = Thing("16", (200, 100, 240, 265))
    image, (mask,) = drawn([both], HEIGHT, WIDTH)
    chart = chart_of(given_head([first, second], FRAME), bright(image))
    assert chart.numbers == ("16",)
    assert dice(chart.masks[0], mask) > 0.9
    # Neighbours that only touch both stay.
    apart = [tooth("16", 1), tooth("15", 2)]
    image, _ = drawn(apart, HEIGHT, WIDTH)
    assert len(chart_of(given_head(apart, FRAME), bright(image))) == 2


def test_an_object_without_a_mask_is_left_out() -> None:
    things = [tooth("16", 1), tooth("15", 2)]
    image, _ = drawn(things[:1], HEIGHT, WIDTH)  # at the second there is nothing bright
    assert chart_of(given_head(things, FRAME), bright(image, repair=False)).numbers == ("16",)


@pytest.mark.parametrize(("more", "expected"), [(0.02, ("16", "15")), (-0.02, ("16",))])
def test_a_tooth_has_to_be_likely_enough(more: float, expected: tuple[str, ...]) -> None:
    things = [tooth("16", 1), tooth("15", 2, logit=logit(MIN_PRESENCE + more))]
    image, _ = drawn(things, HEIGHT, WIDTH)
    assert chart_of(given_head(things, FRAME), bright(image)).numbers == expected


def test_what_is_not_there_takes_no_number_from_a_tooth() -> None:
    faint = tooth("16", 1, logit=logit(MIN_PRESENCE - 0.05))
    clear = replace(tooth("16", 3), sure=0.9)  # the faint one is even more like a 16
    image, _ = drawn([faint, clear], HEIGHT, WIDTH)
    chart = chart_of(given_head([faint, clear], FRAME), bright(image))
    assert chart.numbers == ("16",)
    assert chart.boxes[0] == pytest.approx(clear.box, abs=0.01)


def test_what_the_numberer_takes_for_no_tooth_is_left_out() -> None:
    things = [tooth("16", 1, logit=5.0), tooth("15", 2, logit=4.0), tooth("14", 3, logit=3.0)]
    image, _ = drawn(things, HEIGHT, WIDTH)
    assert chart_of(given_head(things, FRAME, nothing=[1]), bright(image)).numbers == ("16", "14")


@pytest.mark.parametrize(("more", "expected"), [(0.02, (IMPLANT,)), (-0.02, ())])
def test_an_implant_has_to_be_likelier_than_not(more: float, expected: tuple[str, ...]) -> None:
    thing = Thing(IMPLANT, (400, 100, 440, 200), logit(MIN_IMPLANT + more))
    image, _ = drawn([thing], HEIGHT, WIDTH)
    assert chart_of(given_head([thing], FRAME), bright(image)).numbers == expected


@pytest.mark.parametrize(("implant", "expected"), [(2.0, ("16",)), (5.0, (IMPLANT,))])
def test_an_implant_in_the_place_of_a_tooth_counts_where_it_is_surer(
    implant: float, expected: tuple[str, ...]
) -> None:
    box = (200.0, 100.0, 244.0, 230.0)
    things = [Thing("16", box, 3.0), Thing(IMPLANT, (202.0, 100.0, 246.0, 230.0), implant)]
    image, _ = drawn(things[:1], HEIGHT, WIDTH)
    assert chart_of(given_head(things, FRAME), bright(image)).numbers == expected


def test_boxes_and_clicks_at_the_edge_stay_inside_the_image() -> None:
    things = [Thing("18", (-30, 100, 40, 220)), Thing("28", (WIDTH - 30.0, 380, WIDTH + 28.0, HEIGHT + 60.0))]
    inside = [Thing("18", (0, 100, 40, 220)), Thing("28", (WIDTH - 30.0, 380, WIDTH, HEIGHT))]
    image, _ = drawn(inside, HEIGHT, WIDTH)
    chart = chart_of(given_head(things, FRAME), bright(image))
    assert chart.boxes == pytest.approx(np.array([thing.box for thing in inside]), abs=0.01)
    assert (chart.clicks >= 0).all()
    assert (chart.clicks <= (WIDTH - 1, HEIGHT - 1)).all()


def test_confidences_are_the_calibrated_terms() -> None:
    things = [tooth("16", 1, logit=0.2), tooth("15", 2, logit=3.0)]
    image, _ = drawn(things, HEIGHT, WIDTH)
    head = given_head(things, FRAME)
    chart, terms = chart_with_terms(head, bright(image))
    assert terms.shape == (2, 4)
    assert terms[:, 0] == pytest.approx([0.2, 3.0], abs=1e-3)
    assert terms[:, 2:] == pytest.approx(np.array([[logit(0.9), 1.0]] * 2), abs=1e-5)
    assert chart.confidences == pytest.approx(1 / (1 + np.exp(-terms[:, 0] - terms[:, 1])))
    assert chart.confidences[0] < chart.confidences[1]
    head.calibration[:] = 0
    head.calibration[3] = -1.0
    assert chart_of(head, bright(image)).confidences == pytest.approx([1 / (1 + np.exp(1))] * 2)


def test_terms_of_certain_objects_stay_finite() -> None:
    certain = np.array([0.0, 1.0])
    terms = confidence_terms(certain, certain, certain)
    assert np.isfinite(terms).all()
    assert (terms[0, :3] < 0).all()
    assert (terms[1, :3] > 0).all()
