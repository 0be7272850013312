"""A click becomes a mask over the tooth, and what the page shows is what the server keeps."""

import numpy as np
from playwright.sync_api import expect
from scipy import ndimage

from .desk import Desk
from .worklist import WorkList, middle, overlap


def test_click_outlines_the_tooth_and_a_second_click_corrects_it(desk: Desk, worklist: WorkList) -> None:
    tooth = worklist.tooth("36")
    hit = desk.predicted(*middle(tooth))
    first = desk.only()
    assert overlap(first["mask"], tooth) > 0.6
    assert first["source"] == "model"
    assert 0 < first["score"] <= 1
    assert np.allclose(first["prompts"]["clicks"], [[*hit, 1]])
    desk.agrees()

    wrong = first["mask"] ^ tooth
    x, y = middle(wrong)
    missed = bool(tooth[int(y), int(x)])
    desk.predicted(x, y, button="left" if missed else "right")
    second = desk.only()
    assert not np.array_equal(second["mask"], first["mask"])
    assert overlap(second["mask"], tooth) > overlap(first["mask"], tooth) - 0.02
    assert [click[2] for click in second["prompts"]["clicks"]] == [1, int(missed)]
    desk.agrees()

    log = desk.server.operations(desk.case)
    assert [operation["kind"] for operation in log] == ["create", "mask", "mask"]
    assert log[2]["data"]["model"]["sha256"] == desk.server.get("/api/session").json()["model"]["sha256"]


def test_click_leaves_what_is_accepted_and_begins_the_next_object(desk: Desk, worklist: WorkList) -> None:
    desk.predicted(*middle(worklist.tooth("36")))
    done = desk.active or ""
    desk.press("3", "6", "Enter")
    accepted = desk.mask(done)
    badge = desk.page.get_by_test_id("active-badge")
    expect(badge).to_have_text("Click · 36 accepted · New object")
    desk.click(*middle(worklist.tooth("46")))
    desk.until(f"dentasam.editor.activeId !== '{done}' && dentasam.editor.active?.area > 0")
    first, second = desk.objects().values()
    assert (first["id"], first["accepted"], second["accepted"]) == (done, True, False)
    assert np.array_equal(first["mask"], accepted)
    assert overlap(second["mask"], worklist.tooth("46")) > 0.6
    desk.agrees()

    # What the hand does to an accepted object is meant for it, and it has to be looked at once more.
    desk.page.locator(f'[data-object="{done}"]').get_by_role("button").first.click()
    desk.tool("e", size=20)
    desk.stroke([middle(worklist.tooth("36")), middle(worklist.tooth("36"))])
    assert desk.active == done
    expect(badge).to_have_text("Eraser · 36")
    assert not desk.objects()[done]["accepted"]
    desk.agrees()
    desk.press("Control+z")
    assert desk.objects()[done]["accepted"]
    assert np.array_equal(desk.mask(done), accepted)
    desk.agrees()


def test_box_and_negative_tool(desk: Desk, worklist: WorkList) -> None:
    tooth = worklist.tooth("46")
    rows, columns = (np.flatnonzero(tooth.any(axis=axis)) for axis in (1, 0))
    desk.tool("m")
    corners = [(columns[0] - 2.0, rows[0] - 2.0), (columns[-1] + 3.0, rows[-1] + 3.0)]
    desk.stroke(corners)
    desk.until("dentasam.editor.active?.area > 0")
    found = desk.only()
    assert overlap(found["mask"], tooth) > 0.6
    assert np.allclose(found["prompts"]["box"], [*corners[0], *corners[1]], atol=1.5)
    desk.agrees()

    desk.tool("c")
    desk.press("x")
    x, y = middle(tooth)
    desk.predicted(x, y)
    assert desk.only()["prompts"]["clicks"][0][2] == 0


def test_refining_keeps_every_pixel_of_the_hand(desk: Desk, worklist: WorkList) -> None:
    tooth = worklist.tooth("36")
    desk.predicted(*middle(tooth))
    model = desk.mask()
    rows, columns = (np.flatnonzero(model.any(axis=axis)) for axis in (1, 0))
    bottom, top = int(rows[-1]), int(rows[0])
    centre = float(columns[[0, -1]].mean())
    desk.tool("b", size=9)
    desk.stroke([(centre - 8, bottom - 2.0), (centre, bottom + 14.0), (centre + 8, bottom - 2.0)])
    desk.tool("e", size=12)
    desk.stroke([(float(columns[0]), top + 6.0), (centre, top + 6.0)])
    painted = desk.only()
    clicks = len(painted["prompts"]["clicks"])
    assert painted["painted"].any()
    assert painted["erased"].any()

    desk.press("r")
    desk.until(f"dentasam.editor.active.prompts.clicks.length > {clicks}")
    refined = desk.only()
    assert refined["mask"][painted["painted"]].all()
    assert not refined["mask"][painted["erased"]].any()
    assert 1 <= len(refined["prompts"]["clicks"]) - clicks <= 3
    # The new clicks lie where the strokes changed the mask, and say what they did there.
    changed = ndimage.binary_dilation(painted["mask"] ^ model)
    for x, y, positive in refined["prompts"]["clicks"][clicks:]:
        assert changed[round(y), round(x)]
        assert bool(positive) == painted["mask"][round(y), round(x)]
    desk.agrees()
    assert desk.server.operations(desk.case)[-1]["data"]["tool"] == "refine"

    desk.press("r")
    desk.toast("Nothing to refine")
    desk.press("Control+z")
    assert np.array_equal(desk.mask(), painted["mask"])


def test_refining_after_every_stroke(desk: Desk, worklist: WorkList) -> None:
    x, y = middle(worklist.tooth("46"))
    desk.predicted(x, y)
    desk.press("Shift+R")
    desk.tool("b", size=14)
    desk.stroke([(x - 30, y + 20), (x + 30, y + 20)])
    desk.until("dentasam.editor.active.prompts.clicks.length > 1")
    found = desk.only()
    assert found["mask"][found["painted"]].all()
    desk.agrees()
