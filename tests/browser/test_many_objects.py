"""Sixty objects on an image of 3000 x 1500 pixels."""

import uuid

import numpy as np
from playwright.sync_api import expect

from dentasam.labelling.wire.box_mask import BoxMask

from .desk import Open
from .painting import swept
from .serving import Server
from .worklist import LARGE

HEIGHT, WIDTH = 1500, 3000


def sixty() -> dict[str, np.ndarray]:
    """Ellipses in rows, each overlapping the next one."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    masks = {}
    for index in range(60):
        across, down = 150 + 140 * (index % 20), 350 + 380 * (index // 20)
        masks[str(uuid.uuid4())] = ((x - across) / 80) ** 2 + ((y - down) / 160) ** 2 <= 1
    return masks


def test_list_draw_select_and_paint(open_desk: Open, server: Server) -> None:
    case, masks = server.case(LARGE), sixty()
    operations = [
        {
            "id": str(uuid.uuid4()),
            "kind": "create",
            "object": id,
            "time": 1_700_000_000_000,
            "data": {"category": None, "parent": None, "source": "import"},
            "mask": BoxMask.from_mask(mask),
        }
        for id, mask in masks.items()
    ]
    server.append(case, operations)
    desk = open_desk(case=case)
    assert desk.shape == (HEIGHT, WIDTH)
    rows = desk.page.get_by_test_id("object")
    expect(rows).to_have_count(60)
    found = desk.objects()
    assert found.keys() == masks.keys()
    assert all(np.array_equal(found[id]["mask"], masks[id]) for id in masks)

    drawn = desk.picture().astype(int)
    coloured = drawn.max(axis=2) - drawn.min(axis=2) > 8
    everywhere = desk.seen(np.logical_or.reduce(list(masks.values())))
    assert (coloured & everywhere).sum() > 0.97 * everywhere.sum()

    ids = list(masks)
    rows.nth(41).get_by_role("button").first.click()
    assert desk.active == ids[41]
    # In the overlap of two of one size the one with fewer pixels counts; here only the last of a row is touched.
    desk.tool("s")
    desk.click(150 + 140 * 19 + 60, 350 + 380)
    assert desk.active == ids[39]

    desk.tool("b", size=90)
    path = desk.stroke([(2500.0, 600.0), (2700.0, 800.0), (2900.0, 700.0)])
    painted = masks[ids[39]] | swept(path, 90, "round", (HEIGHT, WIDTH))
    assert np.array_equal(desk.mask(ids[39]), painted)
    desk.saved()
    stored = server.objects(case)
    assert np.array_equal(stored[ids[39]]["mask"], painted)
    assert all(np.array_equal(stored[id]["mask"], masks[id]) for id in ids if id != ids[39])
    desk.press("Control+z")
    assert np.array_equal(desk.mask(ids[39]), masks[ids[39]])
    desk.saved()
