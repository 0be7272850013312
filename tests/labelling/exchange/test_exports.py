import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.dataset import Dataset
from dentasam.data.formats import registry as formats
from dentasam.data.formats.catalogue import Format
from dentasam.errors import OutputError
from dentasam.labelling.exchange.correction_log import log_lines
from dentasam.labelling.exchange.exports import (
    FINISHED,
    coco_document,
    labelled_dataset,
    without_paths,
    write_coco,
    write_zip,
)
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.workspace import Workspace

from .conftest import FILLING_MASK, MODEL, TOOTH, TOOTH_MASK


def test_the_written_coco_loads_as_a_dataset_with_the_same_masks(
    labelled_store: Store, labelled_workspace: Workspace
) -> None:
    path = write_coco(labelled_store, labelled_workspace, labelled_workspace.folder / "labels.json")
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
    again = Dataset.load(dataset.write(labelled_workspace.folder / "again.json"))
    assert again.images[0].objects == dataset.images[0].objects


def test_only_finished_cases_where_those_are_wanted(labelled_store: Store, labelled_workspace: Workspace) -> None:
    names = [image["file_name"] for image in coco_document(labelled_store, labelled_workspace, FINISHED)["images"]]
    assert names == ["a.png", "scan.dcm"]
    assert len(coco_document(labelled_store, labelled_workspace)["annotations"]) == 5
    assert coco_document(labelled_store, labelled_workspace, ())["annotations"] == []


def test_annotations_tell_where_they_come_from(labelled_store: Store, labelled_workspace: Workspace) -> None:
    tooth, filling = coco_document(labelled_store, labelled_workspace)["annotations"][:2]
    assert (tooth["object"], tooth["score"], tooth["annotator"], tooth["accepted"]) == (TOOTH, 0.75, "ann", True)
    assert tooth["model"] == MODEL | {"name": "base.pth", "score": 0.75}
    assert filling["parent"] == tooth["id"]
    assert "parent" not in tooth
    assert "score" not in filling


def test_labels_that_the_schema_lost_are_exported(labelled_store: Store, labelled_workspace: Workspace) -> None:
    labels = [label for label in LabelSchema.default().labels if label.name != "36"]
    labelled_workspace.set_schema(LabelSchema(labels=tuple(labels)))
    content = coco_document(labelled_store, labelled_workspace)
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert names[content["annotations"][0]["category_id"]] == "36"
    assert len(names) == len(content["categories"])


def test_paths_are_relative_to_the_file_and_it_lies_beside_the_images(
    labelled_store: Store, labelled_workspace: Workspace, tmp_path: Path
) -> None:
    above = Dataset.load(write_coco(labelled_store, labelled_workspace, tmp_path / "above.json"))
    assert above.images[0].file_name == "radiographs/a.png"
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(OutputError, match="does not lie beside the images"):
        write_coco(labelled_store, labelled_workspace, tmp_path / "elsewhere" / "labels.json")
    (tmp_path / "linked").symlink_to(labelled_workspace.folder)
    assert (
        Dataset.load(write_coco(labelled_store, labelled_workspace, tmp_path / "linked" / "labels.json")).objects == 5
    )
    with pytest.raises(OutputError, match="cannot be written"):
        write_coco(labelled_store, labelled_workspace, labelled_workspace.folder / "deep")
    assert not list(labelled_workspace.folder.glob("*.part"))


def test_every_dataset_format_takes_the_labels_with_their_images(
    labelled_store: Store, labelled_workspace: Workspace, tmp_path: Path
) -> None:
    formats.export_dataset("coco", labelled_dataset(labelled_store, labelled_workspace, FINISHED), tmp_path / "out")
    copied = Dataset.load(tmp_path / "out" / "dataset.json")
    assert [image.file_name for image in copied.images] == ["images/a.png", "images/scan.dcm"]
    assert np.array_equal(copied.images[0].masks(), [TOOTH_MASK, FILLING_MASK])


def test_the_png_masks_are_those_that_the_format_png_reads(
    labelled_store: Store, labelled_workspace: Workspace, tmp_path: Path
) -> None:
    file = io.BytesIO()
    assert write_zip(Format.png, labelled_store, labelled_workspace, file, FINISHED) == ()
    formats.export_dataset("png", labelled_dataset(labelled_store, labelled_workspace, FINISHED), tmp_path / "out")
    with zipfile.ZipFile(file) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    folder = tmp_path / "out"
    assert inside == {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "masks").rglob("*.png")
    }
    assert sorted(inside) == ["masks/a/00001_36.png", "masks/a/00002_restoration.png", "masks/scan/00003_11.png"]
    again = Dataset.load(formats.import_dataset("png", folder, tmp_path / "again"))
    assert np.array_equal(again.images[0].masks(), [TOOTH_MASK, FILLING_MASK])


def test_nothing_of_the_patient_or_the_computer_leaves(labelled_store: Store, labelled_workspace: Workspace) -> None:
    zipped = io.BytesIO()
    write_zip(Format.png, labelled_store, labelled_workspace, zipped)
    document = coco_document(labelled_store, labelled_workspace)
    texts = [*log_lines(labelled_store, labelled_workspace), json.dumps(document), repr(zipped.getvalue())]
    everything = "".join(texts) + timing_csv(labelled_store)
    folder = labelled_workspace.folder
    for private in ("Doe", "Jane", "/home", "secret", str(folder), str(folder.parent)):
        assert private not in everything


@pytest.mark.parametrize("name", ["/a/b/base.pth", r"C:\models\base.pth", r"\\server\share\x\base.pth"])
def test_a_model_named_by_its_path_goes_by_its_file_name(name: str) -> None:
    assert without_paths({"name": name, "adapter": None}) == {"name": "base.pth", "adapter": None}
    assert without_paths({"name": "lkeab/hq-sam", "adapter": name})["name"] == "lkeab/hq-sam"
