"""Which images are charted, under which names, and how they are shared out."""

from pathlib import Path

import pytest

from dentasam.errors import ImageError
from dentasam.evaluation.archive.images import Shard, named_images

from .stand_in import save_image


def names(*given: Path, out: Path = Path("out")) -> list[str]:
    return [image.name for image in named_images(given, out)[0]]


def test_names_do_not_depend_on_how_the_images_are_given(tmp_path: Path) -> None:
    a, b, inner = (save_image(tmp_path / "scans" / name, 1) for name in ("b.png", "a.png", "2024/b.png"))
    assert names(tmp_path / "scans") == ["2024/b.png", "a.png", "b.png"]
    assert names(a, inner, b) == names(inner, b, tmp_path / "scans", a) == names(tmp_path / "scans")
    assert names(inner) == ["b.png"]


def test_the_same_name_in_two_folders_is_two_images(tmp_path: Path) -> None:
    save_image(tmp_path / "one" / "scans" / "opg.png", 1)
    save_image(tmp_path / "two" / "scans" / "opg.png", 1)
    folders = tmp_path / "two" / "scans", tmp_path / "one" / "scans"
    assert names(*folders) == ["one/scans/opg.png", "two/scans/opg.png"]


def test_what_is_listed(tmp_path: Path) -> None:
    """As `label` lists a folder: subfolders, not the results inside it; other images are named."""
    save_image(tmp_path / "a.png", 1)
    save_image(tmp_path / "out" / "overlays" / "a.png", 1)
    (tmp_path / "b.bmp").write_bytes(b"BM")
    (tmp_path / "notes.txt").write_text("notes")
    images, left_out = named_images([tmp_path], tmp_path / "out")
    assert [(image.name, image.path) for image in images] == [("a.png", tmp_path / "a.png")]
    assert left_out == ["b.bmp is left out: it is BMP, which is not read; convert it to PNG"]


def test_a_name_that_leaves_no_room_for_results_is_left_out(tmp_path: Path) -> None:
    longest, longer, wide = "n" * 236 + ".png", "n" * 237 + ".png", "ü" * 119 + ".png"
    for name in (longest, longer, wide):
        save_image(tmp_path / name, 1)
    images, left_out = named_images([tmp_path], tmp_path / "out")
    assert [image.name for image in images] == [longest]
    assert len(left_out) == 2
    assert all("its name has more than 240 bytes, so its results have no room; shorten it" in one for one in left_out)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scans.zip", "is an archive in one file; unpack it and give its folder"),
        ("scans.tar.gz", "is an archive in one file; unpack it and give its folder"),
        ("missing", "does not exist; check the path"),
        ("empty", "no PNG, JPEG, TIFF or DICOM image there"),
    ],
)
def test_what_is_not_taken(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "scans.zip").touch()
    (tmp_path / "scans.tar.gz").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=message):
        names(tmp_path / name)


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_shards_share_out_all_images_evenly(count: int) -> None:
    items = list(range(11))
    parts = [Shard(number, count).of(items) for number in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts[0] == items[::count]


@pytest.mark.parametrize("text", ["0/4", "5/4", "3", "a/b", "1/0", "-1/4", "1/4/2", "٣/٤"])
def test_a_shard_is_one_of_n(text: str) -> None:
    assert Shard.parse(" 3/16 ") == Shard(3, 16)
    with pytest.raises(ValueError, match=r"is not I/N with I from 1 to N"):
        Shard.parse(text)
