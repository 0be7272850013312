"""One undo stack for each case, over everything that is done to its objects."""

from typing import Any

import numpy as np
from playwright.sync_api import expect

from .desk import Desk
from .worklist import WorkList, middle

FACTS = ("category", "parent", "locked", "accepted", "prompts")


def kept(desk: Desk) -> dict[str, Any]:
    return {id: (object["mask"], [object[fact] for fact in FACTS]) for id, object in desk.objects().items()}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[id][0], b[id][0]) and a[id][1] == b[id][1] for id in a)


def test_everything_can_be_taken_back_and_done_again(desk: Desk, worklist: WorkList) -> None:
    states = [kept(desk)]

    def done() -> None:
        states.append(kept(desk))
        assert not same(states[-1], states[-2])

    # A prompt makes its object: one step.
    desk.predicted(*middle(worklist.tooth("36")))
    done()
    desk.predicted(*middle(worklist.tooth("37")), button="right")
    done()
    desk.tool("b", size=20)
    x, y = middle(worklist.tooth("36"))
    desk.stroke([(x - 20, y - 20), (x + 20, y + 30)])
    done()
    desk.tool("e", size=10)
    desk.stroke([(x, y - 20), (x, y + 10)])
    done()
    desk.press("3", "6")
    done()
    desk.press("Enter")
    done()
    desk.press("y")
    done()
    desk.press("y")
    done()
    desk.press("Delete")
    done()
    assert states[-1] == {}
    desk.agrees()

    for state in states[-2::-1]:
        desk.press("Control+z")
        assert same(kept(desk), state)
    desk.agrees()
    expect(desk.page.get_by_test_id("undo")).to_be_disabled()
    for state in states[1:]:
        desk.press("Control+Shift+z")
        assert same(kept(desk), state)
    desk.agrees()
    expect(desk.page.get_by_test_id("redo")).to_be_disabled()

    # Every step is in the log, and says what it takes back; the first one also takes back its object.
    log = desk.server.operations(desk.case)
    assert sum(operation.get("undoes") is not None for operation in log) == 2 * len(states)


def test_new_work_ends_what_could_be_done_again(desk: Desk) -> None:
    desk.tool("b", size=20)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    first = desk.mask()
    desk.stroke([(300.0, 300.0), (420.0, 300.0)])
    desk.press("Control+z")
    assert np.array_equal(desk.mask(), first)
    desk.stroke([(300.0, 250.0), (420.0, 250.0)])
    other = desk.mask()
    desk.press("Control+y")
    assert np.array_equal(desk.mask(), other)
    desk.agrees()


def test_undo_never_reaches_another_case(desk: Desk) -> None:
    desk.tool("b", size=20)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    painted = desk.mask()
    desk.saved()
    revision = desk.server.document(desk.case)["case"]["revision"]

    mine, neighbour = desk.case, desk.server.case(desk.server.next_name(desk.case))
    desk.press("PageDown")
    desk.shown(neighbour)
    assert desk.objects() == {}
    expect(desk.page.get_by_test_id("undo")).to_be_disabled()
    desk.press("Control+z", "Control+z")
    assert desk.objects() == {}
    desk.saved()
    assert desk.server.document(mine)["case"]["revision"] == revision
    assert desk.server.document(neighbour)["case"]["revision"] == 0

    # Coming back, the steps of this case are still there.
    desk.press("PageUp")
    desk.shown(mine)
    assert np.array_equal(next(iter(desk.objects().values()))["mask"], painted)
    desk.press("Control+z")
    assert desk.objects() == {}
    desk.agrees()


def test_more_than_two_hundred_steps(desk: Desk) -> None:
    desk.tool("b", size=6)
    masks = desk.page.evaluate(
        """() => {
            const { editor } = dentasam;
            editor.create();
            const states = [];
            for (let step = 0; step < 220; step++) {
                states.push(editor.active.mask.snapshot());
                editor.beginStroke(step % 3 === 2 ? "eraser" : "brush", [200 + step, 200 + (step * 37) % 100]);
                editor.extendStroke([[230 + step, 200 + (step * 53) % 100]]);
                editor.endStroke();
            }
            window.equal = states.reverse().map((state) => {
                editor.undo();
                return editor.active ? editor.active.mask.snapshot().equals(state) : state.area === 0;
            });
            return window.equal;
        }"""
    )
    assert masks == [True] * 220
    desk.agrees()
