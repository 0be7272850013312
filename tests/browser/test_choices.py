"""The first click of an object may mean a part or the whole: the page shows what the model offers, and switches."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Route, expect

from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack, unpack

from .axe import violations
from .desk import Desk, Open, Watch, unreachable
from .worklist import WorkList, middle

SCORES = (0.9, 0.85, 0.2)


class StandIn:
    """Puts a tooth and two parts of it into the answers of the server, and keeps what it was asked.

    takes: which of the three is the answer's mask, as the server decides by the label.
    """

    def __init__(self, tooth: np.ndarray, *, takes: int = 0) -> None:
        x, y = (int(each) for each in middle(tooth))
        rows, columns = np.ogrid[: tooth.shape[0], : tooth.shape[1]]
        discs = [tooth & ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2) for radius in (11, 5)]
        self.masks = [tooth, *discs]
        self.takes = takes
        self.asked: list[dict[str, Any]] = []

    def over(self, desk: Desk) -> "StandIn":
        desk.page.route("**/predict", self._answer)
        return self

    def _answer(self, route: Route) -> None:
        body = route.request.post_data_buffer
        assert body is not None
        (asked,) = unpack(body)["objects"]
        self.asked.append(asked)
        answer = route.fetch()
        document = unpack(answer.body())
        (found,) = document["objects"]
        if asked["choices"]:
            found["choices"] = [
                {"mask": BoxMask.from_mask(mask), "score": score, "answered_by": "whole"}
                for mask, score in zip(self.masks, SCORES, strict=True)
            ]
            found |= found["choices"][self.takes]
        route.fulfill(status=200, content_type=MEDIA_TYPE, body=pack(document))


@pytest.fixture
def tooth(worklist: WorkList) -> np.ndarray:
    return worklist.tooth("36")


@pytest.fixture
def stand_in(desk: Desk, tooth: np.ndarray) -> StandIn:
    return StandIn(tooth).over(desk)


def taken(desk: Desk) -> int:
    """Which choice the picture shows as taken."""
    pressed = [desk.page.get_by_test_id(f"choice-{index}").get_attribute("aria-pressed") for index in range(3)]
    assert sorted(str(each) for each in pressed) == ["false", "false", "true"]
    return pressed.index("true")


def test_a_key_switches_without_asking_the_model(desk: Desk, stand_in: StandIn, tooth: np.ndarray) -> None:
    picture = desk.page.get_by_test_id("choice-picture")
    desk.predicted(*middle(tooth))
    expect(picture).to_be_visible()
    for index, name in enumerate(("Whole", "Part", "Smaller part")):
        button = picture.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("data-testid", f"choice-{index}")
    assert taken(desk) == 0
    assert np.array_equal(desk.mask(), stand_in.masks[0])

    for index in (1, 2, 0, 1):
        desk.press("p")
        assert taken(desk) == index
        assert np.array_equal(desk.mask(), stand_in.masks[index])
        assert desk.only()["score"] == SCORES[index]
    desk.choose("choice-2")
    assert taken(desk) == 2
    assert np.array_equal(desk.mask(), stand_in.masks[2])
    desk.press("Control+z")
    assert taken(desk) == 1
    assert np.array_equal(desk.mask(), stand_in.masks[1])
    found = desk.only()
    assert not found["painted"].any()
    assert not found["erased"].any()
    desk.agrees()
    assert len(stand_in.asked) == 1
    log = desk.server.operations(desk.case)
    assert [each["data"].get("tool") for each in log] == [None, "click", *["choice"] * 6]
    assert log[-1]["undoes"] == log[-2]["id"]
    assert log[2]["data"]["model"]["score"] == SCORES[1]
    assert log[2]["data"]["model"]["answered_by"] == "whole"

    # The next click goes on from the mask that was taken, and is no longer ambiguous.
    x, y = middle(stand_in.masks[1])
    desk.predicted(x + 6, y)
    expect(picture).to_have_count(0)
    assert [each["choices"] for each in stand_in.asked] == [True, False]
    assert stand_in.asked[1]["previous"] == BoxMask.from_mask(stand_in.masks[1])
    before = desk.mask()
    desk.press("p")
    desk.toast("Nothing to choose")
    assert np.array_equal(desk.mask(), before)
    # With the click undone the choice is open again.
    desk.press("Control+z")
    assert taken(desk) == 1
    desk.agrees()


def test_it_switches_while_the_server_is_away(desk: Desk, stand_in: StandIn, tooth: np.ndarray, watch: Watch) -> None:
    watch.allow("Failed to load resource")
    desk.predicted(*middle(tooth))
    desk.saved()
    desk.page.unroute("**/predict")
    with unreachable(desk.page.context):
        desk.press("p")
        assert np.array_equal(desk.mask(), stand_in.masks[1])
        desk.state("offline")
    desk.agrees()


def test_a_label_for_parts_takes_the_part(desk: Desk, stand_in: StandIn, tooth: np.ndarray) -> None:
    desk.predicted(*middle(tooth))
    desk.choose("label-restoration")
    assert taken(desk) == 1
    assert np.array_equal(desk.mask(), stand_in.masks[1])
    # One step with the label.
    desk.press("Control+z")
    assert taken(desk) == 0
    assert desk.only()["category"] is None
    # What the annotator chose stays.
    desk.press("p", "p")
    desk.choose("label-restoration")
    assert np.array_equal(desk.mask(), stand_in.masks[2])
    desk.agrees()


def test_an_answer_that_is_the_part_is_shown_as_taken(desk: Desk, tooth: np.ndarray) -> None:
    stand_in = StandIn(tooth, takes=1).over(desk)
    desk.predicted(*middle(tooth))
    assert taken(desk) == 1
    assert np.array_equal(desk.mask(), stand_in.masks[1])
    desk.press("p", "p")
    assert np.array_equal(desk.mask(), stand_in.masks[0])
    desk.agrees()


def test_the_picture_leaves_the_object_in_sight_and_goes_when_work_goes_on(
    desk: Desk, stand_in: StandIn, worklist: WorkList, tooth: np.ndarray
) -> None:
    picture = desk.page.get_by_test_id("choice-picture")

    def click(number: str) -> None:
        stand_in.masks[0] = worklist.tooth(number)
        desk.press("Escape", "n")
        desk.click(*middle(worklist.tooth(number)))
        expect(picture).to_be_visible()

    for number in ("36", "46", "11", "28", "18", "38"):
        click(number)
        box, stage = picture.bounding_box(), desk.stage.bounding_box()
        assert box is not None
        assert stage is not None
        assert stage["x"] <= box["x"]
        assert box["x"] + box["width"] <= stage["x"] + stage["width"]
        assert stage["y"] <= box["y"]
        assert box["y"] + box["height"] <= stage["y"] + stage["height"]
        rows, columns = np.nonzero(worklist.tooth(number))
        left, top = desk.place(float(columns.min()), float(rows.min()))
        right, bottom = desk.place(float(columns.max() + 1), float(rows.max() + 1))
        beside = box["x"] + box["width"] <= left or box["x"] >= right
        assert beside or box["y"] + box["height"] <= top or box["y"] >= bottom, number

    # Another object, a question, acceptance, a stroke.
    desk.press("n")
    expect(picture).to_have_count(0)
    click("34")
    desk.click(*middle(worklist.tooth("44")))
    expect(desk.page.get_by_test_id("click-question")).to_be_visible()
    expect(picture).to_have_count(0)
    desk.press("Escape")
    expect(picture).to_be_visible()
    desk.tool("e", size=8)
    x, y = middle(worklist.tooth("34"))
    desk.stroke([(x, y), (x + 6, y)])
    expect(picture).to_have_count(0)
    desk.press("Control+z")
    expect(picture).to_be_visible()
    desk.page.evaluate("() => dentasam.editor.accept(dentasam.editor.activeId, true)")
    expect(picture).to_have_count(0)
    desk.agrees()


def test_axe_finds_nothing_on_the_picture(open_desk: Open, tooth: np.ndarray) -> None:
    desk = open_desk(viewport={"width": 1920, "height": 1080})
    StandIn(tooth).over(desk)
    desk.predicted(*middle(tooth))
    for _ in ("dark", "light"):
        expect(desk.page.get_by_test_id("choice-picture")).to_be_visible()
        assert violations(desk.page) == []
        desk.choose("theme")
