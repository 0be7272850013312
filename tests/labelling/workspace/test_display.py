import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from dentasam.data.images.read import read_image
from dentasam.errors import ImageError
from dentasam.labelling.workspace.display import THUMBNAIL_SIDE, read_pixels, starting_window, thumbnail_png


def png(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def dicom(path: Path, pixels: np.ndarray, **elements: object) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, generate_uid()
    header.PatientName = "Nobody^Else"
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.PixelData = pixels.astype("<u2").tobytes()
    header["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    header.save_as(path, enforce_file_format=True)
    return path


def ramp(high: int = 4095) -> np.ndarray:
    return np.linspace(0, high, 60 * 100).round().astype(np.uint16).reshape(60, 100)


def test_8_bit_images_start_with_a_window_that_fits_their_histogram(tmp_path: Path) -> None:
    """A dull film: its tissue between 60 and 140, a black border on a third of it, and a white marker."""
    pixels = np.tile(np.linspace(60, 140, 300).round().astype(np.uint8), (200, 1))
    pixels[:, :100] = 0
    pixels[:10, 150:200] = 255
    case = read_pixels(png(tmp_path / "a.png", pixels))
    assert np.array_equal(case.pixels, pixels)
    assert case.bits == 8
    tissue = np.unique(pixels)[1:-1]
    assert tissue[0] - 1 <= case.low <= tissue[0] + 2
    assert tissue[-1] - 2 <= case.high <= tissue[-1] + 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_good_exposure_keeps_its_range(dtype: type) -> None:
    most = np.iinfo(dtype).max
    low, high = starting_window(np.linspace(0, most, 90_000).astype(dtype).reshape(300, 300))
    assert low <= 0.01 * most
    assert high >= 0.99 * most


def test_a_window_is_not_so_narrow_that_it_shows_noise() -> None:
    pixels = np.random.default_rng(1).integers(100, 103, (200, 200)).astype(np.uint8)
    pixels[0, 0], pixels[0, 1] = 0, 255
    low, high = starting_window(pixels)
    assert low < 100 < 103 < high
    assert high - low >= 20


def test_an_8_bit_image_of_two_values_shows_both(tmp_path: Path) -> None:
    pixels = np.full((20, 30), 40, np.uint8)
    pixels[3, 4] = 90
    case = read_pixels(png(tmp_path / "a.png", pixels))
    assert (case.low, case.high) == (40, 90)
    flat = read_pixels(png(tmp_path / "b.png", np.full((20, 30), 77, np.uint8)))
    assert (flat.low, flat.high) == (0, 255)


def test_16_bit_images_start_with_percentiles_and_keep_their_values(tmp_path: Path) -> None:
    pixels = ramp(40000)
    pixels[0, :5] = 65535  # a film marker
    case = read_pixels(png(tmp_path / "a.png", pixels))
    assert np.array_equal(case.pixels, pixels)
    assert case.bits == 16
    assert 100 < case.low < 400
    assert 39000 < case.high <= 40000


def test_12_bits_in_16_reach_the_page_as_the_model_sees_them(tmp_path: Path) -> None:
    pixels = ramp()
    case = read_pixels(png(tmp_path / "a.png", pixels))
    assert np.abs(case.pixels - pixels * (65535 / 4095)).max() <= 0.5


@pytest.mark.parametrize("value", [0, 300, 65535])
def test_a_flat_image_still_has_a_window(value: int) -> None:
    low, high = starting_window(np.full((9, 9), value, np.uint16))
    assert 0 <= low < high <= 65535


def test_few_bright_pixels_on_black_are_seen() -> None:
    pixels = np.zeros((200, 200), np.uint16)
    pixels[0, 0] = 900
    assert starting_window(pixels) == (0, 900)


def test_bytes_are_little_endian_row_by_row(tmp_path: Path) -> None:
    pixels = ramp(65535)
    case = read_pixels(png(tmp_path / "a.png", pixels))
    assert case.little_endian() == pixels.astype("<u2").tobytes()


def test_a_dicom_window_is_the_whole_range_and_without_one_it_is_percentiles(tmp_path: Path) -> None:
    with_window = dicom(tmp_path / "a.dcm", ramp(), WindowCenter=1000, WindowWidth=400)
    case = read_pixels(with_window)
    assert (case.low, case.high) == (0, 65535)
    assert np.array_equal(case.pixels, read_image(with_window))
    plain = read_pixels(dicom(tmp_path / "b.dcm", ramp()))
    assert 0 < plain.low < 1000
    assert 64000 < plain.high < 65535


def test_thumbnails_are_windowed_pngs_of_240_pixels(tmp_path: Path) -> None:
    pixels = np.tile(np.linspace(100, 400, 960).astype(np.uint16), (480, 1))
    with Image.open(io.BytesIO(thumbnail_png(png(tmp_path / "a.png", pixels)))) as small:
        assert (small.format, small.mode, small.size) == ("PNG", "L", (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2))
        shown = np.asarray(small)
    assert shown[:, 0].max() < 5
    assert shown[:, -1].min() > 250
    tall = Image.open(io.BytesIO(thumbnail_png(png(tmp_path / "b.png", np.zeros((9600, 7), np.uint8)))))
    assert tall.size == (1, THUMBNAIL_SIDE)


def test_a_thumbnail_of_a_dicom_carries_no_text_of_its_header(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", ramp())
    assert pydicom.dcmread(path).PatientName == "Nobody^Else"
    picture = thumbnail_png(path)
    assert b"Nobody" not in picture
    assert b"tEXt" not in picture


def test_an_unreadable_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    with pytest.raises(ImageError, match="a.png"):
        read_pixels(tmp_path / "a.png")
    with pytest.raises(ImageError, match="a.png"):
        thumbnail_png(tmp_path / "a.png")
