"""Whether annotations fit the pixels of their image as they are stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dentasam.data.formats.sources.drawn_size import checked_size
from dentasam.data.formats.sources.images import SourceImage
from dentasam.errors import DatasetError


def image(tmp_path: Path, orientation: int) -> SourceImage:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    return SourceImage("a.jpg", tmp_path / "a.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_what_was_drawn_on_the_stored_pixels_fits(tmp_path: Path, orientation: int) -> None:
    found = image(tmp_path, orientation)
    turned = (30, 20) if orientation > 4 else (20, 30)
    fits = {drawn: orientation == 1 or drawn not in (None, turned) for drawn in (None, (20, 30))}
    for drawn, fine in fits.items():
        if fine:
            assert checked_size(found, drawn, "x.json") == (20, 30)
            continue
        with pytest.raises(DatasetError, match=f"x.json: a.jpg has the orientation tag {orientation}, .*; save"):
            checked_size(found, drawn, "x.json")
    with pytest.raises(DatasetError, match="x.json: "):
        checked_size(found, (30, 20), "x.json")


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_orientation_of_an_image_of_known_size_counts(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (20, 20)).save(tmp_path / "a.jpg", exif=exif)
    known = SourceImage("a.jpg", tmp_path / "a.jpg", (20, 20))
    if orientation == 1:
        assert checked_size(known, (20, 20), "x") == (20, 20)
        return
    with pytest.raises(DatasetError, match=f"x: a.jpg has the orientation tag {orientation}, .*; save"):
        checked_size(known, (20, 20), "x")


def test_positions_in_parts_of_the_image_fit_it_in_any_size() -> None:
    known = SourceImage("a.png", Path("nowhere"), (1250, 2900))
    assert checked_size(known, None, "x") == (1250, 2900)
    assert checked_size(known, (417, 967), "x", relative=True) == (1250, 2900)
    for drawn, relative in (((417, 967), False), ((900, 967), True)):
        with pytest.raises(DatasetError, match="x: its objects were drawn on 967x.*, a.png has 2900x1250; put"):
            checked_size(known, drawn, "x", relative)
