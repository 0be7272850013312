"""Files that are dropped on the page, or chosen, become cases of the worklist in every tab."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from dentasam.data.phantom import generate

from .axe import violations
from .desk import PATIENCE, Desk, Open, Watch
from .serving import Server, serving_one_image
from .worklist import WorkList, write_dicom

WIDE = {"width": 1600, "height": 900}


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory, worklist: WorkList) -> Iterator[Server]:
    with serving_one_image(tmp_path_factory.mktemp("growing") / "images", worklist.folder / "copy-000.png") as running:
        yield running


@pytest.fixture
def desk(open_desk: Open, growing: Server) -> Desk:
    return open_desk(server=growing, case=growing.case("opg.png"), viewport=WIDE)


def drag(page: Page, kind: str, paths: list[Path]) -> None:
    """A drag of files from the desktop, as the browser gets it from the system."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 400, "data": data})


def drop(page: Page, paths: list[Path]) -> None:
    for kind in ("dragEnter", "dragOver"):
        drag(page, kind, paths)
    expect(page.get_by_test_id("drop-zone")).to_be_visible()
    drag(page, "drop", paths)
    expect(page.get_by_test_id("drop-zone")).to_have_count(0)


def outcomes(page: Page) -> dict[str, Any]:
    """What became of each file: its state and the whole line."""
    expect(page.get_by_test_id("additions")).to_have_attribute("data-busy", "false", timeout=PATIENCE)
    found = {}
    for row in page.get_by_test_id("addition").all():
        name = row.locator(".addition-name").inner_text()
        found[name] = row.get_attribute("data-state"), row.inner_text()
    return found


def test_dropped_files_are_cases_in_every_tab(
    desk: Desk, open_desk: Open, growing: Server, worklist: WorkList, tmp_path: Path, watch: Watch
) -> None:
    watch.allow("4(09|15|22)")
    other = open_desk(server=growing, case=desk.case, viewport=WIDE)
    phantom = generate(5).image
    good, taken, broken, notes = (tmp_path / name for name in ("new tooth.png", "opg.png", "broken.png", "notes.txt"))
    Image.fromarray(phantom).save(good)
    Image.fromarray(phantom).save(taken)
    broken.write_bytes(good.read_bytes()[:2000])
    notes.write_text("not an image")
    radiograph, folder = tmp_path / "IM0001", tmp_path / "scans"
    write_dicom(radiograph, worklist.radiograph)
    folder.mkdir()
    before = (growing.folder / "opg.png").read_bytes()

    drop(desk.page, [good, taken, broken, notes, radiograph, folder])
    found = outcomes(desk.page)
    assert {name: state for name, (state, _) in found.items()} == {
        "new tooth.png": "added",
        "opg.png": "refused",
        "broken.png": "refused",
        "notes.txt": "refused",
        "IM0001": "added",
        "scans": "refused",
    }
    assert "another image is there under the name opg.png" in found["opg.png"][1]
    assert "damaged or truncated" in found["broken.png"][1]
    assert "not a PNG, JPEG, TIFF or DICOM file" in found["notes.txt"][1]
    assert "is a folder" in found["scans"][1]
    assert (growing.folder / "opg.png").read_bytes() == before
    assert sorted(path.name for path in growing.folder.iterdir()) == [
        ".dentasam",
        "IM0001",
        "new tooth.png",
        "opg.png",
    ]

    case = growing.case("new tooth.png")
    for page in (desk.page, other.page):
        expect(page.get_by_test_id(f"case-{case}")).to_be_visible(timeout=PATIENCE)
    other.choose(f"case-{case}")
    other.shown(case)
    assert other.shape == phantom.shape
    desk.choose("close-additions")
    expect(desk.page.get_by_test_id("additions")).to_have_count(0)


def test_chosen_files_are_added_too(desk: Desk, growing: Server, tmp_path: Path) -> None:
    path = tmp_path / "chosen.png"
    Image.fromarray(generate(6).image).save(path)
    with desk.page.expect_file_chooser() as chooser:
        desk.choose("add-images")
    chooser.value.set_files([path, path])
    expect(desk.page.get_by_test_id("addition")).to_have_count(2)
    assert [row.get_attribute("data-state") for row in desk.page.get_by_test_id("addition").all()]
    outcomes(desk.page)
    states = [row.get_attribute("data-state") for row in desk.page.get_by_test_id("addition").all()]
    assert states == ["added", "known"]
    expect(desk.page.get_by_test_id(f"case-{growing.case('chosen.png')}")).to_be_visible()


def test_dropped_annotations_are_objects_of_the_open_case(
    desk: Desk, growing: Server, tmp_path: Path, watch: Watch
) -> None:
    watch.allow("422")
    height, width = desk.shape
    mask = np.zeros((height, width), bool)
    mask[40:90, 60:100] = True
    known = set(growing.objects(desk.case))
    archive, other, broken = tmp_path / "masks.zip", tmp_path / "other.zip", tmp_path / "broken.json"
    for path, name in ((archive, "opg"), (other, "elsewhere")):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"masks/{name}/36.png", cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes())
    broken.write_text("{")

    drop(desk.page, [archive, broken, other])
    found = outcomes(desk.page)
    assert {name: state for name, (state, _) in found.items()} == {
        "masks.zip": "imported",
        "broken.json": "refused",
        "other.zip": "imported",
    }
    assert "annotations: 1 object in 1 case" in found["masks.zip"][1]
    assert "broken.json is not annotations of a known format" in found["broken.json"][1]
    assert "nothing new; 1 image passed over (its image is not in the worklist" in found["other.zip"][1]
    (new,) = set(growing.objects(desk.case)) - known
    shown = growing.objects(desk.case)[new]
    assert (shown["category"], shown["source"]) == ("36", "import")
    expect(desk.page.get_by_test_id("object")).to_have_count(len(known) + 1, timeout=PATIENCE)


def test_the_page_asks_how_teeth_are_numbered(desk: Desk, growing: Server, tmp_path: Path, watch: Watch) -> None:
    watch.allow("422")
    height, width = desk.shape
    known = set(growing.objects(desk.case))

    def labelme(name: str, left: int) -> Path:
        kinds = (("polygon", [[left, 40], [left + 30, 40], [left + 30, 80], [left, 80]]), ("line", [[1, 1], [9, 9]]))
        shapes = [{"label": "11", "points": points, "shape_type": kind} for kind, points in kinds]
        content: dict[str, Any] = {"version": "5.5.0", "flags": {}, "imagePath": "opg.png", "shapes": shapes}
        path = tmp_path / name
        path.write_text(json.dumps(content | {"imageData": None, "imageHeight": height, "imageWidth": width}))
        return path

    drop(desk.page, [labelme("first.json", 60), labelme("second.json", 160)])
    found = outcomes(desk.page)
    assert {name: state for name, (state, _) in found.items()} == {"first.json": "asked", "second.json": "asked"}
    assert "its names do not tell how its teeth are numbered" in found["first.json"][1]
    assert set(growing.objects(desk.case)) == known
    assert violations(desk.page) == []

    question = desk.page.get_by_role("group", name="Teeth of second.json are numbered in")
    question.get_by_role("button", name="Universal").click()
    expect(desk.page.get_by_test_id("addition").nth(1)).to_have_attribute("data-state", "imported", timeout=PATIENCE)
    found = outcomes(desk.page)
    assert found["first.json"][0] == "asked"
    assert "annotations: 1 object in 1 case" in found["second.json"][1]
    assert "shapes of the type line left out, since they have no area: 1" in found["second.json"][1]
    (new,) = set(growing.objects(desk.case)) - known
    assert growing.objects(desk.case)[new]["category"] == "23"
    expect(desk.page.get_by_test_id("object")).to_have_count(len(known) + 1, timeout=PATIENCE)
    desk.choose("close-additions")
    expect(desk.page.get_by_test_id("additions")).to_have_count(0)


def test_a_worklist_of_a_coco_file_says_why_not(open_desk: Open, worklist: WorkList, tmp_path: Path) -> None:
    shutil.copyfile(worklist.folder / "copy-000.png", tmp_path / "opg.png")
    with Image.open(tmp_path / "opg.png") as image:
        width, height = image.size
    ring = [10, 10, 40, 10, 40, 40, 10, 40]
    source = tmp_path / "train.json"
    source.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "opg.png", "width": width, "height": height}],
                "categories": [{"id": 1, "name": "11"}],
                "annotations": [
                    {
                        "id": 1,
                        "image_id": 1,
                        "category_id": 1,
                        "segmentation": [ring],
                        "bbox": [10, 10, 30, 30],
                        "area": 900,
                        "iscrowd": 0,
                    }
                ],
            }
        )
    )
    server = Server(source).start()
    try:
        desk = open_desk(server=server, case=server.case("opg.png"), viewport=WIDE)
        extra = tmp_path / "extra.png"
        shutil.copyfile(tmp_path / "opg.png", extra)
        drop(desk.page, [extra])
        assert "COCO file" in outcomes(desk.page)["extra.png"][1]
        # An open page would look for the server and report that it is gone.
        desk.page.close()
    finally:
        server.stop()
