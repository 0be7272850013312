"""Pixel data: equal where nothing is blanked, black where it is, and without what is not pixels."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.encaps import get_frame
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from dentasam.data.deidentify.regions import Blanking
from dentasam.data.deidentify.run import Options, Outcome, deidentify
from dentasam.data.images.read import read_image
from dentasam.errors import ImageError

from ..images.dicom.dicom_files import ramp, write_dicom

BOX = (slice(5, 15), slice(10, 40))  # rows, columns of `--blank 10,5,30,10`
SECRET = b"Quastenflosser"


pytest.importorskip("dicomanonymizer")


def noise(high: int = 4095, dtype: Any = np.uint16, shape: tuple[int, ...] = (32, 64)) -> np.ndarray:
    return np.random.default_rng(1).integers(high // 4, high, shape).astype(dtype)


def run(path: Path, tmp_path: Path, **options: Any) -> tuple[Outcome, Path]:
    outcome = deidentify(path, tmp_path / "out", Options(**options))
    assert outcome.failed == []
    return outcome, tmp_path / "out" / outcome.delivered[0]


def blanked(path: Path, tmp_path: Path) -> Path:
    return run(path, tmp_path, blanking=Blanking.of(["10,5,30,10"], None))[1]


def compressed(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def jpeg_file(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    frame = compressed(noise(255, np.uint8), "JPEG", quality=95, exif=exif, comment=SECRET)
    return write_dicom(tmp_path / "x.dcm", noise(255, np.uint8), 8, syntax=JPEGBaseline8Bit, frame=frame)


def jpeg_2000_file(tmp_path: Path) -> Path:
    frame = compressed(noise(), "JPEG2000", comment=SECRET)
    return write_dicom(tmp_path / "x.dcm", noise(), 16, syntax=JPEG2000Lossless, frame=frame)


@pytest.mark.parametrize("make", [jpeg_file, jpeg_2000_file])
def test_compressed_images_lose_their_comments_alone(tmp_path: Path, make: Any) -> None:
    path = make(tmp_path)
    assert SECRET in path.read_bytes()
    outcome, made = run(path, tmp_path)
    np.testing.assert_array_equal(read_image(made), read_image(path))
    written = pydicom.dcmread(made)
    assert written.file_meta.TransferSyntaxUID == pydicom.dcmread(path).file_meta.TransferSyntaxUID
    assert SECRET not in made.read_bytes()
    assert "comment removed" in outcome.report.read_text(encoding="utf-8")
    assert len(get_frame(written.PixelData, 0, number_of_frames=1)) < path.stat().st_size


@pytest.mark.parametrize("signed", [False, True])
def test_bytes_and_bits_beside_the_pixels_go(tmp_path: Path, signed: bool) -> None:
    pixels = noise().astype(np.int16 if signed else np.uint16)
    marked = pixels.copy()
    marked[3, 3:20] |= 0x2000  # an overlay of one bit above the twelve of the pixels
    path = write_dicom(tmp_path / "x.dcm", marked)
    dataset = pydicom.dcmread(path)
    dataset.PixelData += SECRET
    dataset.save_as(path)
    _, made = run(path, tmp_path)
    np.testing.assert_array_equal(read_image(made), read_image(path))
    assert SECRET not in made.read_bytes()
    written = np.frombuffer(pydicom.dcmread(made).PixelData, "<i2").reshape(pixels.shape)
    # As 12-bit two's complement where they are signed.
    np.testing.assert_array_equal(written, np.where(signed & (pixels > 2047), pixels.astype(int) - 4096, pixels))


CASES: dict[str, dict[str, Any]] = {
    "twelve bits": {"pixels": noise()},
    "signed": {"pixels": (noise().astype(np.int16) - 2000)},
    "windowed": {"pixels": noise(), "WindowCenter": 2000, "WindowWidth": 1500},
    "white is 0": {"pixels": noise(), "PhotometricInterpretation": "MONOCHROME1"},
    "falling": {"pixels": noise(), "RescaleSlope": "-1", "RescaleIntercept": "4095"},
    "big endian": {"pixels": noise(), "syntax": pydicom.uid.ExplicitVRBigEndian},
    "implicit": {"pixels": noise(), "syntax": pydicom.uid.ImplicitVRLittleEndian},
    "eight bits": {"pixels": noise(255, np.uint8), "bits": 8},
    "colour": {"pixels": noise(255, np.uint8, (32, 64, 3)), "bits": 8},
    "luminance first": {
        "pixels": noise(255, np.uint8, (32, 64, 3)), "bits": 8, "PhotometricInterpretation": "YBR_FULL"
    },
    "JPEG": {
        "pixels": noise(255, np.uint8), "bits": 8, "syntax": JPEGBaseline8Bit,
        "frame": compressed(noise(255, np.uint8), "JPEG", quality=95),
    },
    "JPEG 2000": {
        "pixels": noise(), "bits": 16, "syntax": JPEG2000Lossless, "frame": compressed(noise(), "JPEG2000")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_blanking_makes_the_box_black_and_nothing_else(tmp_path: Path, case: str) -> None:
    options = dict(CASES[case])
    path = write_dicom(tmp_path / "x.dcm", options.pop("pixels"), options.pop("bits", 12), **options)
    before, after = read_image(path), read_image(blanked(path, tmp_path))
    inside = np.zeros(before.shape, bool)
    inside[BOX] = True
    # Black is the darkest of the rest; a range without the box may be narrower by what was in it.
    assert set(after[inside]) == {after.min()}
    if before[~inside].max() == before.max() and before[~inside].min() == before.min():
        np.testing.assert_array_equal(after[~inside], before[~inside])
    else:
        steps = np.abs(after[~inside].astype(int) - before[~inside].astype(int))
        assert steps.max() <= 0.01 * np.iinfo(after.dtype).max


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_blanking_other_compressions(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    path = write_dicom(tmp_path / "x.dcm", noise(), 12, WindowCenter=2000, WindowWidth=4000)
    dataset = pydicom.dcmread(path)
    try:
        dataset.compress(syntax, generate_instance_uid=False)
    except (RuntimeError, NotImplementedError, ValueError):
        pytest.skip("no encoder for it is installed")
    dataset.save_as(path)
    before, after = read_image(path), read_image(blanked(path, tmp_path))
    assert (after[BOX] == after.min()).all()
    after[BOX] = before[BOX]
    np.testing.assert_array_equal(after, before)


def test_header_says_that_pixels_were_blanked(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "x.dcm", noise(), BurnedInAnnotation="YES", ImageType=["ORIGINAL", "PRIMARY", "X"])
    written = pydicom.dcmread(blanked(path, tmp_path))
    assert written.BurnedInAnnotation == "NO"
    assert list(written.ImageType) == ["DERIVED", "PRIMARY", "X"]
    assert "113101" in [item.CodeValue for item in written.DeidentificationMethodCodeSequence]


def test_header_that_says_text_is_burned_in_is_reported_and_believed(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "x.dcm", noise(), BurnedInAnnotation="YES")
    outcome, made = run(path, tmp_path)
    (line,) = outcome.warnings
    assert "BurnedInAnnotation YES" in line
    written = pydicom.dcmread(made)
    assert written.BurnedInAnnotation == "YES"
    assert "113101" not in [item.CodeValue for item in written.DeidentificationMethodCodeSequence]


def test_mask_from_a_file(tmp_path: Path) -> None:
    mask = np.zeros((32, 64), np.uint8)
    mask[BOX] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    path = write_dicom(tmp_path / "x.dcm", ramp(), WindowCenter=2048, WindowWidth=4096)
    _, made = run(path, tmp_path, blanking=Blanking.of([], tmp_path / "mask.png"))
    after = read_image(made)
    assert (after[mask > 0] == after.min()).all()
    np.testing.assert_array_equal(after[mask == 0], read_image(path)[mask == 0])


def test_blanking_of_a_raster_file(tmp_path: Path) -> None:
    pixels = noise()
    Image.fromarray(pixels).save(tmp_path / "x.png")
    after = np.asarray(Image.open(blanked(tmp_path / "x.png", tmp_path)))
    pixels[BOX] = after.min()
    np.testing.assert_array_equal(after, pixels)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,0", "a,b,c,d", "-1,0,5,5", "1.5,0,5,5", "1,2,3,4,5"])
def test_malformed_rectangles(text: str) -> None:
    with pytest.raises(ImageError, match="is not a rectangle; write x,y,width,height"):
        Blanking.of([text], None)


def test_text_may_be_elsewhere_in_an_image_of_another_size(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "x.dcm", noise())
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "mask.png")
    for blanking in (Blanking.of(["70,0,5,5"], None), Blanking.of([], tmp_path / "mask.png")):
        outcome = deidentify(path, tmp_path / "out", Options(blanking=blanking))
        assert outcome.delivered == []
        assert "64x32 pixels" in outcome.failed[0]
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ImageError, match="marks nothing"):
        Blanking.of([], tmp_path / "mask.png")


def test_overlay_in_the_pixels_of_a_big_endian_file(tmp_path: Path) -> None:
    marked = noise()
    marked[3, 3:20] |= 0x2000
    path = write_dicom(tmp_path / "x.dcm", marked, syntax=pydicom.uid.ExplicitVRBigEndian)
    dataset = pydicom.dcmread(path)
    dataset.add(DataElement(0x60000102, "US", 13))
    dataset.add(DataElement(0x60000100, "US", 16))
    dataset.save_as(path)
    _, made = run(path, tmp_path)
    np.testing.assert_array_equal(np.frombuffer(pydicom.dcmread(made).PixelData, ">u2").reshape(32, 64), noise())
