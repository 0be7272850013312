import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from dentasam.data.dataset import Dataset
from dentasam.data.formats import registry as formats
from dentasam.errors import OutputError
from dentasam.labelling.exchange import exports
from dentasam.labelling.exchange.exports import FINISHED, coco, log_lines, write_coco, write_png_zip
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.database import open_database
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import Make, block
from ..workspace.test_workspace import write_dicom

TOOTH, FILLING, GONE, HOLLOW = (str(uuid.UUID(int=n)) for n in range(1, 5))
TOOTH_MASK, FILLING_MASK = block(5, 5, 30, 20), block(5, 10, 12, 26)
MODEL = {"name": "/home/ann/secret/base.pth", "sha256": "ab", "adapter": "panoramic-teeth", "adapter_sha256": "cd"}
PROMPTS = {"clicks": [[8.0, 9.0, 1]], "box": None}


@pytest.fixture
def workspace(radiographs: Path) -> Iterator[Workspace]:
    write_dicom(radiographs / "scan.dcm")
    with Workspace.open(radiographs) as workspace:
        yield workspace


@pytest.fixture
def store(workspace: Workspace, make: Make) -> Iterator[Store]:
    """a.png done: a tooth and an overlapping filling, a deleted object and an empty one. deep/b.png in progress."""
    engine = open_database(workspace.database_url)
    store = Store(engine)
    store.sync_cases(workspace.images)
    manual: dict[str, Any] = {"category": None, "parent": None, "source": "manual"}
    proposal = {"tool": "click", "prompts": PROMPTS, "model": MODEL | {"score": 0.75}}
    erased = make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 2, 2))
    stroke = {"shape": "round", "size": 8.0, "points": [[5.0, 5.0], [9.0, 9.0]]}
    operations = [
        make("create", TOOTH, manual | {"category": "36"}),
        make("mask", TOOTH, proposal, mask=block(5, 5, 20, 20)),
        make("create", FILLING, manual | {"category": "restoration", "parent": TOOTH}, mask=FILLING_MASK),
        make("mask", TOOTH, {"tool": "brush", "stroke": stroke}, mask=TOOTH_MASK, painted=block(20, 5, 30, 20)),
        erased,
        make("mask", TOOTH, {"tool": "eraser"}, mask=TOOTH_MASK, undoes=erased.id),
        make("create", GONE, manual | {"category": "37"}, mask=TOOTH_MASK),
        make("delete", GONE, {"deleted": True}),
        make("create", HOLLOW, manual),
        make("accept", TOOTH, {"accepted": True}),
        make("status", None, {"status": "done"}),
    ]
    ids = {case.name: case.id for case in store.cases()}
    store.append(ids["a.png"], operations, 0, "ann")
    other = [
        make("create", str(uuid.uuid4()), manual | {"category": "old label"}, mask=FILLING_MASK) for _ in range(2)
    ]
    store.append(ids["deep/b.png"], other, 0, "bob")
    scanned = make("create", str(uuid.uuid4()), manual | {"category": "11"}, mask=block(0, 0, 5, 5, 30, 44))
    store.append(ids["scan.dcm"], [scanned, make("status", None, {"status": "approved"})], 0, "bob")
    yield store
    engine.dispose()


def test_the_written_coco_loads_as_a_dataset_with_the_same_masks(store: Store, workspace: Workspace) -> None:
    path = write_coco(store, workspace, workspace.folder / "labels.json")
    dataset = Dataset.load(path)
    by_name = {image.file_name: image for image in dataset.images}
    assert list(by_name) == ["a.png", "deep/b.png", "scan.dcm", "wide.png"]
    a = by_name["a.png"]
    assert [record.category for record in a.objects] == ["36", "restoration"]
    assert np.array_equal(a.masks(), [TOOTH_MASK, FILLING_MASK])
    assert (a.masks()[0] & a.masks()[1]).any()
    assert [record.area for record in a.objects] == [TOOTH_MASK.sum(), FILLING_MASK.sum()]
    assert a.objects[1].bbox == (10.0, 5.0, 16.0, 7.0)
    assert a.read().shape == (40, 60)
    assert by_name["scan.dcm"].read().dtype == np.uint16
    ids = {category.name: category.id for category in dataset.categories}
    assert (ids["36"], ids["85"], ids["restoration"]) == (36, 85, 101)
    assert [c.supercategory for c in dataset.categories if c.name in ("36", "caries", "old label")] == [
        "tooth", "lesion", "other",
    ]  # fmt: skip
    # Written once more by the dataset's own hand it stays what it is.
    again = Dataset.load(dataset.write(workspace.folder / "again.json"))
    assert again.images[0].objects == dataset.images[0].objects


def test_only_finished_cases_where_those_are_wanted(store: Store, workspace: Workspace) -> None:
    names = [image["file_name"] for image in coco(store, workspace, FINISHED)["images"]]
    assert names == ["a.png", "scan.dcm"]
    assert len(coco(store, workspace)["annotations"]) == 5
    assert coco(store, workspace, ())["annotations"] == []


def test_annotations_tell_where_they_come_from(store: Store, workspace: Workspace) -> None:
    tooth, filling = coco(store, workspace)["annotations"][:2]
    assert (tooth["object"], tooth["score"], tooth["annotator"], tooth["accepted"]) == (TOOTH, 0.75, "ann", True)
    assert tooth["model"] == MODEL | {"name": "base.pth", "score": 0.75}
    assert filling["parent"] == tooth["id"]
    assert "parent" not in tooth
    assert "score" not in filling


def test_labels_that_the_schema_lost_are_exported(store: Store, workspace: Workspace) -> None:
    labels = [label for label in LabelSchema.default().labels if label.name != "36"]
    workspace.set_schema(LabelSchema(labels=tuple(labels)))
    content = coco(store, workspace)
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert names[content["annotations"][0]["category_id"]] == "36"
    assert len(names) == len(content["categories"])


def test_paths_are_relative_to_the_file_and_it_lies_beside_the_images(
    store: Store, workspace: Workspace, tmp_path: Path
) -> None:
    above = Dataset.load(write_coco(store, workspace, tmp_path / "above.json"))
    assert above.images[0].file_name == "radiographs/a.png"
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(OutputError, match="does not lie beside the images"):
        write_coco(store, workspace, tmp_path / "elsewhere" / "labels.json")
    (tmp_path / "linked").symlink_to(workspace.folder)
    assert Dataset.load(write_coco(store, workspace, tmp_path / "linked" / "labels.json")).objects == 5
    with pytest.raises(OutputError, match="cannot be written"):
        write_coco(store, workspace, workspace.folder / "deep")
    assert not list(workspace.folder.glob("*.part"))


def test_every_dataset_format_takes_the_labels_with_their_images(
    store: Store, workspace: Workspace, tmp_path: Path
) -> None:
    formats.export_dataset("coco", exports.dataset(store, workspace, FINISHED), tmp_path / "out")
    copied = Dataset.load(tmp_path / "out" / "dataset.json")
    assert [image.file_name for image in copied.images] == ["images/a.png", "images/scan.dcm"]
    assert np.array_equal(copied.images[0].masks(), [TOOTH_MASK, FILLING_MASK])


def test_the_png_masks_are_those_that_the_format_png_reads(
    store: Store, workspace: Workspace, tmp_path: Path
) -> None:
    file = io.BytesIO()
    assert write_png_zip(store, workspace, file, FINISHED) == 3
    formats.export_dataset("png", exports.dataset(store, workspace, FINISHED), tmp_path / "out")
    with zipfile.ZipFile(file) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    folder = tmp_path / "out"
    assert inside == {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "masks").rglob("*.png")
    }
    assert sorted(inside) == ["masks/a/00001_36.png", "masks/a/00002_restoration.png", "masks/scan/00003_11.png"]
    again = Dataset.load(formats.import_dataset("png", folder, tmp_path / "again"))
    assert np.array_equal(again.images[0].masks(), [TOOTH_MASK, FILLING_MASK])


def decoded(mask: dict[str, Any]) -> np.ndarray:
    return coco_mask.decode(mask).astype(bool)


def test_the_log_tells_proposal_strokes_and_final_mask_of_every_object(store: Store, workspace: Workspace) -> None:
    lines = list(log_lines(store, workspace))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    entries = {entry["object"]: entry for entry in map(json.loads, lines)}
    assert len(entries) == 7
    tooth = entries[TOOTH]
    assert (tooth["image"], tooth["category"], tooth["annotators"], tooth["accepted"]) == (
        "a.png",
        "36",
        ["ann"],
        True,
    )
    assert tooth["prompts"] == PROMPTS
    assert tooth["model"] == MODEL | {"name": "base.pth", "score": 0.75}
    assert tooth["prediction"]["prompts"] == PROMPTS
    assert np.array_equal(decoded(tooth["prediction"]["mask"]), block(5, 5, 20, 20))
    assert np.array_equal(decoded(tooth["final"]), TOOTH_MASK)
    assert np.array_equal(decoded(tooth["painted"]), block(20, 5, 30, 20))
    assert not decoded(tooth["erased"]).any()
    assert [(step["tool"], step["undone"]) for step in tooth["steps"]] == [
        ("click", False), ("brush", False), ("eraser", True), ("eraser", False),
    ]  # fmt: skip
    assert tooth["steps"][1]["stroke"]["points"] == [[5.0, 5.0], [9.0, 9.0]]
    assert tooth["steps"][3]["undoes"] == tooth["steps"][2]["operation"]
    assert tooth["started"] <= tooth["finished"]
    assert tooth["steps"][0]["time"] < tooth["steps"][1]["time"]
    assert entries[GONE]["deleted"]
    assert entries[FILLING]["prediction"] is None
    assert entries[FILLING]["parent"] == TOOTH


def test_nothing_of_the_patient_or_the_computer_leaves(store: Store, workspace: Workspace) -> None:
    zipped = io.BytesIO()
    write_png_zip(store, workspace, zipped)
    everything = "".join(log_lines(store, workspace)) + json.dumps(coco(store, workspace)) + repr(zipped.getvalue())
    everything += timing_csv(store)
    for private in ("Doe", "Jane", "/home", "secret", str(workspace.folder), str(workspace.folder.parent)):
        assert private not in everything


@pytest.mark.parametrize("name", ["/a/b/base.pth", r"C:\models\base.pth", r"\\server\share\x\base.pth"])
def test_a_model_named_by_its_path_goes_by_its_file_name(name: str) -> None:
    assert exports._model({"name": name, "adapter": None}) == {"name": "base.pth", "adapter": None}
    assert exports._model({"name": "lkeab/hq-sam", "adapter": name})["name"] == "lkeab/hq-sam"
