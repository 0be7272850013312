"""Dentitions of every kind: each number once, teeth in the order of their arch, germs where germs lie."""

from functools import cache

import cv2
import numpy as np
import pytest

from dentasam.data.phantom import DENTITIONS, generate
from dentasam.data.phantom.dentition.deciduous import cut_off, deciduous_shape
from dentasam.data.phantom.dentition.growing import draw_growing
from dentasam.data.phantom.dentition.kinds import draw_kind
from dentasam.data.phantom.dentition.missing import all_there
from dentasam.data.phantom.dentition.standing import Order, stand
from dentasam.data.phantom.dentition.tooth import Dentition, Tooth
from dentasam.data.teeth.arch_order import exchanged_neighbours
from dentasam.errors import DatasetError
from dentasam.model.chart.dentition import DECIDUOUS, PERMANENT, missing_numbers, successor

SEEDS = range(12)
KINDS = tuple(kind for kind in DENTITIONS if kind != "any")


@cache
def drawn(kind: str) -> list[Dentition]:
    return [draw_kind(np.random.default_rng([seed, 5]), kind) for seed in SEEDS]  # type: ignore[arg-type]


def numbered(dentition: Dentition) -> dict[str, Tooth]:
    return {tooth.number: tooth for tooth in dentition.teeth if not tooth.supernumerary}


def box(tooth: Tooth) -> tuple[float, float, float, float]:
    points = tooth.place(np.concatenate(tooth.shape.pieces))
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right - left), float(bottom - top)


def _middle(tooth: Tooth) -> float:
    _, top, _, height = box(tooth)
    return top + height / 2


@pytest.mark.parametrize("kind", KINDS)
def test_each_number_is_there_once_and_on_its_side(kind: str) -> None:
    for dentition in drawn(kind):
        teeth = [tooth for tooth in dentition.teeth if not tooth.supernumerary]
        assert teeth
        assert len(numbered(dentition)) == len(teeth)
        assert set(numbered(dentition)) <= set(PERMANENT + DECIDUOUS)
        for tooth in teeth:
            assert tooth.category == tooth.number
            if tooth.germ:
                continue
            assert (tooth.x < 0) == (tooth.number[0] in "1458")  # the patient's right is on the image's left
        upper, lower = ([_middle(t) for t in teeth if t.upper == jaw] for jaw in (True, False))
        if upper and lower:
            assert np.mean(upper) < np.mean(lower)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "irregular"])
def test_erupted_teeth_stand_in_the_order_of_their_arch(kind: str) -> None:
    for dentition in drawn(kind):
        erupted = [t for t in numbered(dentition).values() if not t.germ and t.position <= 7]
        assert exchanged_neighbours((tooth.number, box(tooth)) for tooth in erupted) == []


def test_in_a_mixed_dentition_deciduous_and_permanent_teeth_alternate_in_order() -> None:
    for kind in ("mixed", "deciduous"):
        for dentition in drawn(kind):
            teeth = numbered(dentition)
            # each slot by the permanent number: of a deciduous tooth and its erupted successor only one stands there
            slots = [(successor(number) or number, box(t)) for number, t in teeth.items() if not t.germ]
            assert exchanged_neighbours(slots) == []
            for number, tooth in teeth.items():
                if number[1] != "6" or number[0] not in "1234":
                    continue
                before = teeth.get(f"{int(number[0]) + 4}5")
                if before is not None:  # the first permanent molar is distal of the second deciduous one
                    assert abs(tooth.x) > abs(before.x) + 0.4 * before.width


def test_germs_lie_beyond_the_crowns_of_their_predecessors() -> None:
    depths = []
    for dentition in drawn("deciduous"):
        teeth = numbered(dentition)
        for number in DECIDUOUS:
            germ = teeth.get(successor(number) or "")
            if number not in teeth or germ is None:
                continue
            assert germ.germ
            tooth = teeth[number]
            depths.append(((tooth.y - germ.y) if tooth.upper else (germ.y - tooth.y)) / tooth.length)
            assert abs(germ.x - tooth.x) < tooth.width
    assert len(depths) > 100
    assert min(depths) > 0.2  # beyond most of the crown, even where it is about to replace the tooth
    assert np.median(depths) < 1.1  # and near the root


def test_teeth_erupt_and_are_replaced_with_age() -> None:
    deciduous, permanent = [], []
    for age in (4.0, 7.0, 9.0, 11.0, 13.0):
        children = [draw_growing(np.random.default_rng([seed, 6]), age) for seed in range(4)]
        erupted = [t for child in children for t in child.teeth if not t.germ]
        deciduous.append(sum(t.deciduous for t in erupted) / 4)
        permanent.append(sum(not t.deciduous for t in erupted) / 4)
    assert 16 <= deciduous[0] <= 20
    assert permanent[0] == 0
    assert deciduous == sorted(deciduous, reverse=True)
    assert permanent == sorted(permanent)
    assert deciduous[-1] < 3
    assert 24 <= permanent[-1] <= 28


def test_what_resorption_and_growth_leave_is_shorter() -> None:
    rng = np.random.default_rng(1)
    ends = []
    for resorbed in (0.0, 0.4, 0.9):
        shape = deciduous_shape(rng, 4, False, resorbed)
        ends.append(float(np.concatenate(shape.pieces)[:, 1].max()))
    assert ends[0] > 0.9
    assert ends[0] > ends[1] > ends[2] > 0.3
    shape = cut_off(rng, deciduous_shape(rng, 2, True), 0.2)
    points = np.concatenate([*shape.pieces, shape.crown, shape.dentine, *shape.chamber, *shape.canals])
    assert points[:, 1].max() < 0.3


def test_teeth_whose_crowns_caries_took_keep_their_roots_and_numbers() -> None:
    whole, ruined = (
        stand(np.random.default_rng(8), all_there(np.random.default_rng(2)), Order(0.9, ruined=share), [])
        for share in (0.0, 1.0)
    )
    assert set(numbered(ruined)) == set(numbered(whole))
    for tooth in numbered(ruined).values():
        points = np.concatenate(tooth.shape.pieces)
        assert (points[:, 1].min() > 0.6 * tooth.shape.neck) == (not tooth.germ)
        assert points[:, 1].max() > 0.75 or tooth.germ


def test_kinds_of_missing_teeth() -> None:
    lacks = {
        kind: [len(missing_numbers(numbered(d))) for d in drawn(kind)] for kind in ("gaps", "closed", "hypodontia")
    }
    assert min(lacks["gaps"]) >= 1
    assert max(lacks["gaps"]) >= 16
    assert min(lacks["closed"]) >= 1
    assert any(tooth.deciduous for dentition in drawn("hypodontia") for tooth in dentition.teeth)
    # across a closed gap neighbours touch; across an open one they leave most of the tooth's width
    distances: dict[str, list[float]] = {"closed": [], "gaps": []}
    for kind, found in distances.items():
        for dentition in drawn(kind):
            teeth = numbered(dentition)
            for quadrant in "1234":
                for position in range(2, 7):
                    around = [teeth.get(f"{quadrant}{position + step}") for step in (-1, 1)]
                    if f"{quadrant}{position}" in teeth or None in around:
                        continue
                    a, b = (tooth for tooth in around if tooth is not None)
                    found.append(abs(a.x - b.x) / (0.5 * (a.width + b.width)))
    assert len(distances["closed"]) > 10
    assert np.median(distances["closed"]) < 1.1
    assert np.median(distances["gaps"]) > 1.4


def test_kinds_show_what_they_are_named_after() -> None:
    wanted = {"implants": "implant", "bridges": "bridge", "supernumerary": "supernumerary"}
    for kind, category in wanted.items():
        with_it = 0
        for seed in range(5):
            phantom = generate(seed, 512, 256, dentition=kind)  # type: ignore[arg-type]
            with_it += any(item.category == category for item in phantom.objects)
            assert (category in phantom.tags) == any(item.category == category for item in phantom.objects)
        assert with_it >= 4
    for kind in ("mixed", "deciduous"):
        numbers = [{o.category for o in generate(seed, 512, 256, dentition=kind).objects} for seed in range(3)]  # type: ignore[arg-type]
        assert sum(len(n & set(DECIDUOUS)) for n in numbers) > 9
        assert sum(len(n & set(PERMANENT)) for n in numbers) > 30


def test_a_bridge_joins_the_crowns_of_its_ends_over_a_place_without_a_tooth() -> None:
    found = 0
    for dentition in drawn("bridges"):
        teeth = numbered(dentition)
        for joined in dentition.bridges:
            found += 1
            held = [tooth.number for tooth in joined]
            implants = {tooth.number for tooth in dentition.implants or []}
            assert held[0] in teeth or held[0] in implants
            assert held[-1] in teeth or held[-1] in implants
            assert any(number not in teeth for number in held[1:-1])
    assert found >= len(SEEDS)


def test_teeth_of_children_are_seen_in_the_image() -> None:
    contrast: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(4):
        phantom = generate(seed, 1024, 512, dentition="mixed")
        everything = np.any([o.mask for o in phantom.objects], axis=0)
        for item in phantom.objects:
            if not item.category.isdigit():
                continue
            near = cv2.dilate(item.mask.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool) & ~everything
            if near.any():
                inside = phantom.image[item.mask].mean() - phantom.image[near].mean()
                contrast[item.category in DECIDUOUS].append(float(inside))
    for values in contrast.values():
        assert np.median(values) > 15
        assert np.mean(np.array(values) > 3) > 0.85


def test_an_unknown_dentition_and_layout_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"unknown phantom dentition 'milk': choose from adult, gaps"):
        generate(0, dentition="milk")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"unknown phantom layout 'wild': choose from usual, any"):
        generate(0, layout="wild")  # type: ignore[arg-type]
