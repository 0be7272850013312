import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dentasam.data.images.read import read_image
from dentasam.errors import DatasetError, WorkspaceError
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.workspace.file_hashes import FileHashes
from dentasam.labelling.workspace.label_schema import Label, LabelSchema
from dentasam.labelling.workspace.workspace import Workspace
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding


def write_dicom(path: Path, bits: int = 12) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    header.PatientName = "Doe^Jane"
    header.Rows, header.Columns, header.SamplesPerPixel = 30, 44, 1
    header.PhotometricInterpretation, header.PixelRepresentation = "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = (8 if bits <= 8 else 16), bits, bits - 1
    dtype = np.uint8 if bits <= 8 else np.uint16
    header.PixelData = np.arange(30 * 44, dtype=dtype).tobytes()
    header.save_as(path)


def test_the_images_of_a_folder_and_those_below_it(radiographs: Path) -> None:
    write_dicom(radiographs / "deep" / "scan.dcm")
    write_dicom(radiographs / "IM0001")
    write_dicom(radiographs / "narrow.dcm", bits=8)
    (radiographs / "notes.txt").write_text("no image")
    (radiographs / "README").write_text("no image either")
    with Workspace.open(radiographs) as workspace:
        found = {image.name: (image.width, image.height, image.bits) for image in workspace.images}
        assert found == {
            "IM0001": (44, 30, 16),
            "a.png": (60, 40, 8),
            "deep/b.png": (60, 40, 8),
            "deep/scan.dcm": (44, 30, 16),
            "narrow.dcm": (44, 30, 8),
            "wide.png": (50, 30, 16),
        }
        assert workspace.problems == []
        for image in workspace.images:
            pixels = read_image(image.path)
            assert (pixels.shape, pixels.itemsize * 8) == ((image.height, image.width), image.bits)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [*((mode, ".png") for mode in ("1", "P", "RGB")), ("L", ".jpg"), *((m, ".tif") for m in ("L", "I;16", "I", "F"))],
)
def test_the_bits_are_those_that_reading_gives(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    Image.new(mode, (8, 6)).save(path)
    with Workspace.open(tmp_path) as workspace:
        assert workspace.images[0].bits == read_image(path).itemsize * 8


def test_hidden_folders_and_workspaces_are_passed_over(radiographs: Path) -> None:
    for folder in (".hidden", "old.dentasam", "work"):
        (radiographs / folder).mkdir()
        Image.new("L", (8, 6)).save(radiographs / folder / "c.png")
    Image.new("L", (8, 6)).save(radiographs / "._a.png")
    with Workspace.open(radiographs, radiographs / "work") as workspace:
        assert [image.name for image in workspace.images] == ["a.png", "deep/b.png", "wide.png"]
        assert workspace.root == radiographs / "work"


def test_what_cannot_be_read_is_left_out_with_a_line(radiographs: Path) -> None:
    (radiographs / "empty.png").write_bytes(b"")
    (radiographs / "text.png").write_text("no image")
    pages = [Image.new("L", (8, 6))] * 2
    pages[0].save(radiographs / "pages.tif", save_all=True, append_images=pages[1:])
    with Workspace.open(radiographs) as workspace:
        assert len(workspace.images) == 3
        lines = sorted(workspace.problems)
    assert [line.split(" is left out: ")[0] for line in lines] == ["empty.png", "pages.tif", "text.png"]
    assert not any("\n" in line for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such file names")
def test_a_name_that_is_no_text_is_left_out(radiographs: Path) -> None:
    for name in (b"\xff.png", b"new\nline.png"):
        Image.new("L", (8, 6)).save(os.fsencode(radiographs) + b"/" + name, format="PNG")
    with Workspace.open(radiographs) as workspace:
        assert len(workspace.images) == 3
        assert len(workspace.problems) == 2
        assert all("rename it" in line and "\n" not in line for line in workspace.problems)


def test_the_workspace_lies_in_its_folder_for_its_owner_alone(radiographs: Path) -> None:
    with Workspace.open(radiographs) as workspace:
        assert workspace.root == radiographs / ".dentasam"
        assert stat.S_IMODE(workspace.root.stat().st_mode) == 0o700
        assert workspace.embeddings.parent == workspace.root
        assert workspace.schema == LabelSchema.default()
        open_database(workspace.database_url).dispose()
        assert (workspace.root / "labels.sqlite3").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such modes")
def test_every_file_of_the_workspace_is_for_its_owner_alone(radiographs: Path) -> None:
    before = os.umask(0o022)
    try:
        with open_workspace(radiographs) as (workspace, store, _):
            image, features = FileHashes().of(workspace.images[0].path), torch.zeros(1, 8, 2, 4)
            embeddings = EmbeddingStore(workspace.embeddings)
            embeddings.put(image, "model", ImageEmbedding(features, features, Frame.of(40, 60)))
            embeddings.note_uncertainty(image, "model", 0.5)
            Annotators.of(workspace.root).add("anna", "crown and bridge")
            store.add_comment(1, "anna", "written, so that SQLite keeps its other files")
            modes = {
                path.name.split(".", 1)[-1]: stat.S_IMODE(path.stat().st_mode)
                for path in workspace.root.rglob("*")
                if path.is_file()
            }
    finally:
        os.umask(before)
    assert {"sqlite3", "sqlite3-wal", "sqlite3-shm", "yaml", "id", "lock", "uncertainty"} <= modes.keys()
    assert any(name.endswith("safetensors") for name in modes)
    assert {name: oct(mode) for name, mode in modes.items() if mode != 0o600} == {}


def test_a_path_with_marks_of_a_url_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c %41 ü"
    folder.mkdir()
    Image.new("L", (8, 6)).save(folder / "a.png")
    with Workspace.open(folder) as workspace:
        open_database(workspace.database_url).dispose()
        assert (folder / ".dentasam" / "labels.sqlite3").is_file()


def test_a_coco_file_has_its_workspace_beside_it(radiographs: Path) -> None:
    images = [
        {"id": 1, "file_name": "a.png", "width": 60, "height": 40},
        {"id": 2, "file_name": "deep\\b.png", "width": 61, "height": 40},
        {"id": 3, "file_name": "deep/../wide.png", "width": 50, "height": 30},
        {"id": 4, "file_name": "./a.png", "width": 60, "height": 40},
    ]
    path = radiographs / "train.json"
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    with Workspace.open(path) as workspace:
        assert (workspace.root, workspace.folder) == (radiographs / "train.dentasam", radiographs)
        assert [image.name for image in workspace.images] == ["a.png", "wide.png"]
        assert len(workspace.problems) == 2
        assert "60x40 pixels, the dataset says 61x40" in workspace.problems[0]
        assert "twice" in workspace.problems[1]


def test_faults_are_said_in_one_line_and_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "none").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="does not exist"):
        Workspace.open(tmp_path / "missing")
    with pytest.raises(WorkspaceError, match="no readable PNG"):
        Workspace.open(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"broken\.json"):
        Workspace.open(tmp_path / "broken.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.json", "file", "none"]
    assert list((tmp_path / "none").iterdir()) == []
    Image.new("L", (8, 6)).save(tmp_path / "none" / "a.png")
    with pytest.raises(WorkspaceError, match="is a file; name another folder with --workspace"):
        Workspace.open(tmp_path / "none", tmp_path / "file")
    with pytest.raises(WorkspaceError, match="cannot be written|is a file"):
        Workspace.open(tmp_path / "none", tmp_path / "file" / "below")


def test_one_server_at_a_time(radiographs: Path) -> None:
    program = (
        "import sys\n"
        "from dentasam.labelling.workspace.workspace import Workspace\n"
        "from dentasam.errors import WorkspaceError\n"
        "try:\n"
        "    Workspace.open(sys.argv[1])\n"
        "    print('open')\n"
        "except WorkspaceError as error:\n"
        "    print(error)\n"
    )

    def other_process() -> str:
        return subprocess.run(
            [sys.executable, "-c", program, str(radiographs)], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    with Workspace.open(radiographs) as workspace:
        (line,) = other_process().splitlines()
        assert "in use by another dentasam label" in line
        assert str(radiographs / ".dentasam") in line
        with pytest.raises(WorkspaceError, match="in use"):
            Workspace.open(radiographs)
        workspace.serve_at("http://127.0.0.1:8765/")
        (line,) = other_process().splitlines()
        assert "in use by the dentasam label at http://127.0.0.1:8765/; stop it, or open its address" in line
        workspace.serve_at("http://[::1]:1/")
        assert "at http://[::1]:1/;" in other_process()
        (workspace.root / "lock").write_bytes(b"\x00 no address")
        assert "in use by another dentasam label" in other_process()
        workspace.serve_at("http://127.0.0.1:8765/")
    assert other_process() == "open\n"
    with Workspace.open(radiographs) as again:
        assert again.images
        assert "in use by another dentasam label" in other_process(), "the address of the one before is forgotten"


def test_an_edited_schema_is_kept_and_a_faulty_one_frees_the_lock(radiographs: Path) -> None:
    schema = LabelSchema(labels=(Label(name="36", title="Molar", kind="tooth", colour="#e69f00"),))
    with Workspace.open(radiographs) as workspace:
        workspace.set_schema(schema)
        assert workspace.schema == schema
    with Workspace.open(radiographs) as workspace:
        assert workspace.schema == schema
    file = radiographs / ".dentasam" / "schema.yaml"
    file.write_text("labels: nothing")
    with pytest.raises(WorkspaceError, match=r"schema\.yaml"):
        Workspace.open(radiographs)
    file.unlink()
    with Workspace.open(radiographs) as workspace:
        assert workspace.schema == LabelSchema.default()
