"""Two tabs on one case: different objects come together silently, the same object is asked about."""

import numpy as np
import pytest
from playwright.sync_api import expect

from .desk import Desk, Open, Watch
from .painting import swept

CONFLICT = "status of 409"
# How many levels of grey each canvas shows: many where the X-ray is on it.
GREYS = """(canvases) => canvases.map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const greys = new Set();
    for (let at = 0; at < data.length; at += 4) {
        if (data[at] === data[at + 1] && data[at] === data[at + 2]) greys.add(data[at]);
    }
    return greys.size;
})"""


def paint(desk: Desk, row: float) -> np.ndarray:
    return swept(desk.stroke([(300.0, row), (420.0, row)]), 20, "round", desk.shape)


def tabs(open_desk: Open, *, same_profile: bool = True) -> tuple[Desk, Desk]:
    first = open_desk()
    first.tool("b", size=20)
    paint(first, 150.0)
    first.saved()
    second = open_desk(context=first.page.context) if same_profile else open_desk()
    second.tool("b", size=20)
    return first, second


@pytest.mark.parametrize("same_profile", [True, False], ids=["two tabs", "two people"])
def test_different_objects_come_together(open_desk: Open, watch: Watch, same_profile: bool) -> None:
    watch.allow(CONFLICT)
    first, second = tabs(open_desk, same_profile=same_profile)
    paint(first, 190.0)
    first.saved()
    second.press("Shift+N")
    mine = paint(second, 300.0)
    assert second.active is not None
    new = second.active
    second.agrees()
    assert len(second.objects()) == 2
    expect(second.page.get_by_test_id("conflict-dialog")).not_to_be_visible()
    first.page.evaluate("() => dentasam.sync.pull()")
    assert np.array_equal(first.mask(new), mine)
    first.agrees()


@pytest.mark.parametrize("choice", ["theirs", "mine", "both"])
def test_the_same_object_is_asked_about(open_desk: Open, watch: Watch, choice: str) -> None:
    watch.allow(CONFLICT)
    first, second = tabs(open_desk)
    (shared,) = first.objects()
    second.page.get_by_test_id("object").get_by_role("button").first.click()
    paint(first, 200.0)
    theirs = first.mask(shared)
    first.saved()
    paint(second, 250.0)
    mine = second.mask(shared)
    dialog = second.page.get_by_test_id("conflict-dialog")
    expect(dialog).to_be_visible()
    second.state("conflict")
    assert min(dialog.locator("canvas").evaluate_all(GREYS)) > 20
    second.choose(f"conflict-{choice}")
    expect(dialog).not_to_be_visible()
    second.agrees()
    found = second.objects()
    if choice == "both":
        (copy,) = found.keys() - {shared}
        assert np.array_equal(found[shared]["mask"], theirs)
        assert np.array_equal(found[copy]["mask"], mine)
        # The hand goes on with what it painted.
        assert second.active == copy
    else:
        assert found.keys() == {shared}
        assert np.array_equal(found[shared]["mask"], theirs if choice == "theirs" else mine)
    first.page.evaluate("() => dentasam.sync.pull()")
    first.agrees()
    # Work goes on in both.
    paint(second, 350.0)
    second.agrees()
