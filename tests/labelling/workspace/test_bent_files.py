"""A folder with bent files of every kind: the worklist opens with the good ones, and a line names each other."""

import json
import os
import random
import socket
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from dentasam.data.images import read
from dentasam.data.images.kind import kind_of
from dentasam.errors import DatasetError, ImageError
from dentasam.evaluation.archive.images import named_images
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.workspace.workspace import Workspace

from .test_workspace import write_dicom

PER_KIND = 100


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.new("L", (60, 40)).save(folder / "a.png")
    Image.new("L", (60, 40)).save(folder / "b.jpg")
    tifffile.imwrite(folder / "c.tif", np.zeros((40, 60), np.uint8))
    write_dicom(folder / "d.dcm")
    return folder


def with_second_directory(data: bytes, tags: list[tuple[int, int, int, int]]) -> bytes:
    """A TIFF whose only directory is followed by another with these tags: number, type, count, value."""
    first = struct.unpack_from("<I", data, 4)[0]
    end = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    second = struct.pack("<H", len(tags)) + entries + bytes(4)
    return data[:end] + struct.pack("<I", len(data)) + data[end + 4 :] + second


def bent(data: bytes, dice: random.Random) -> bytes:
    """The file cut, with some bytes changed, or with a piece of it doubled."""
    content = bytearray(data)
    how = dice.randrange(3)
    if how == 0:
        return bytes(content[: dice.randrange(len(content))])
    for _ in range(dice.randrange(1, 9)):
        at = dice.randrange(min(len(content), 400))
        if how == 1:
            content[at] = dice.randrange(256)
        else:
            content[at:at] = content[at : at + dice.randrange(1, 40)]
    return bytes(content)


@pytest.mark.parametrize("tags", [[(259, 3, 1, 1)], [(254, 4, 1, 1)], [(256, 4, 1, 60)], [(330, 4, 1, 8)], []])
def test_a_tiff_whose_second_directory_lacks_dimensions_is_left_out(
    scans: Path, tags: list[tuple[int, int, int, int]]
) -> None:
    (scans / "bent.tif").write_bytes(with_second_directory((scans / "c.tif").read_bytes(), tags))
    with Workspace.open(scans) as workspace:
        assert {"a.png", "b.jpg", "c.tif", "d.dcm"} <= {image.name for image in workspace.images}
        assert len(workspace.images) + len(workspace.problems) == 5


def test_bent_files_and_links_of_all_sorts_leave_the_good_ones(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(14)
    good = {path.name for path in scans.iterdir()}
    for name in sorted(good):
        data = (scans / name).read_bytes()
        for number in range(PER_KIND):
            (scans / f"bent{number:03d}{Path(name).suffix}").write_bytes(bent(data, dice))
    Image.new("L", (8, 6)).save(tmp_path / "secret.png")
    for number, target in enumerate(
        ("/etc/passwd", "/dev/zero", "..", ".", "x", tmp_path / "secret.png", "/proc/self")
    ):
        for suffix in (".png", ".dcm", ""):
            os.symlink(str(target), scans / f"link{number}{suffix}")
    (scans / "loop.png").symlink_to("loop.png")
    (scans / "same.png").symlink_to("a.png")
    os.mkfifo(scans / "pipe.png")
    (scans / "piped.png").symlink_to("pipe.png")
    (scans / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        monkeypatch.chdir(scans)  # the paths of sockets are short
        bound.bind("socket.png")
    with open_workspace(scans) as (workspace, store, problems):
        shown = {image.name for image in workspace.images}
        assert good | {"same.png"} <= shown
        assert not {"pipe.png", "piped.png", "socket.png", "loop.png"} & shown
        assert {case.name for case in store.cases()} == shown
        # No link out of the folder is shown.
        assert not [name for name in shown if name.startswith("link")]
        assert problems
        assert not [line for line in problems if "\n" in line]
    assert {image.name for image in named_images([scans], tmp_path / "out")[0]} >= good


@pytest.mark.parametrize("error", [KeyError("Rows"), RecursionError(), MemoryError(), struct.error("bad"), OSError()])
@pytest.mark.parametrize("reader", ["read_header", "read_image"])
def test_any_error_of_a_reader_names_the_file(
    scans: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reader: str
) -> None:
    def broken(path: Path) -> str:
        if path.name != "a.png":
            return kind_of(path)
        raise error

    monkeypatch.setattr(read, "kind_of", broken)
    with pytest.raises(ImageError, match=r"a\.png (is damaged|needs more memory)") as raised:
        getattr(read, reader)(scans / "a.png")
    assert "\n" not in str(raised.value)
    with Workspace.open(scans) as workspace:
        assert [image.name for image in workspace.images] == ["b.jpg", "c.tif", "d.dcm"]
        assert workspace.problems[0].startswith("a.png is left out: ")


def test_links_out_of_the_folder_are_shown_where_the_user_asks_for_them(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (scans / "a.png").rename(tmp_path / "store" / "a.png")
    (scans / "a.png").symlink_to(tmp_path / "store" / "a.png")
    with Workspace.open(scans) as workspace:
        assert [image.name for image in workspace.images] == ["b.jpg", "c.tif", "d.dcm"]
        (line,) = workspace.problems
        assert line.endswith("put the file itself here, or give --follow-links")
    with Workspace.open(scans, follow_links=True) as workspace:
        assert len(workspace.images) == 4
    images = [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}]
    coco = scans / "train.json"
    coco.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    with pytest.raises(DatasetError, match="link to a file outside of the folder; .* give --follow-links"):
        Workspace.open(coco)
    with Workspace.open(coco, follow_links=True) as workspace:
        assert [image.name for image in workspace.images] == ["a.png"]


def test_the_bent_files_differ() -> None:
    buffer = BytesIO()
    Image.new("L", (60, 40)).save(buffer, "PNG")
    dice = random.Random(14)
    assert len({bent(buffer.getvalue(), dice) for _ in range(PER_KIND)}) > PER_KIND // 2
