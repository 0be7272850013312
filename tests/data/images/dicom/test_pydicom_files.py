"""Every single-frame monochrome file that pydicom ships: as pydicom decodes it, or refused for its true reason."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dentasam.data.images.dicom.read import dicom_header, read_dicom
from dentasam.errors import ImageError

FOLDER = Path(pydicom.__file__).parent / "data"
REFUSED = {
    # The file's name says it: a delimiter was written over the size in its codestream.
    "JPEG2000-embedded-sequence-delimiter.dcm": r"the compressed image has 3722445056 x 1024 x 1 samples, its header",
    "MR_truncated.dcm": r"it has 8130 bytes of pixel data, 8192 are needed",
    "chrJapMulti.dcm": r"has no pixel data",
    "chrJapMultiExplicitIR6.dcm": r"has no pixel data",
    "chrKoreanMulti.dcm": r"has no pixel data",
    # It says 1A frames.
    "badVR.dcm": r"holds 15 frames",
    "rtdose.dcm": r"holds 15 frames",
    "rtdose_expb.dcm": r"holds 15 frames",
    "rtdose_rle.dcm": r"holds 15 frames",
}
# pydicom decodes no JPEG of 12 bits. The second file holds the image of the first, with a scan header that is not
# quite in order. Shares of white (x, y) of the first file as libjpeg (pylibjpeg-libjpeg) decodes it:
TWELVE_BIT_JPEG = ("JPGExtended.dcm", "JPEG-lossy.dcm")
LIBJPEG_SHARES = {
    (145, 166): 0.3826,
    (131, 226): 0.4015,
    (129, 156): 0.4205,
    (133, 244): 0.4432,
    (137, 221): 0.4735,
    (124, 229): 0.5379,
    (132, 425): 0.7045,
}


def monochrome_files() -> list[Path]:
    found = []
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            if str(header.get("PhotometricInterpretation")).startswith("MONOCHROME"):
                found.append(path)
    return found


FILES = monochrome_files()


def first_number(value: object) -> float:
    return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)  # type: ignore[arg-type]


def shown(path: Path) -> np.ndarray:
    """Shares of white by pydicom's decoding and PS3.3 C.11.2.1.2, written out here."""
    header = pydicom.dcmread(path, force=True)
    stored = header.pixel_array.astype(float)
    values = stored * float(header.get("RescaleSlope", 1)) + float(header.get("RescaleIntercept", 0))
    if header.get("WindowWidth"):
        center, width = first_number(header.WindowCenter), first_number(header.WindowWidth)
        share = (values - (center - 0.5)) / (width - 1) + 0.5
    elif header.BitsStored <= 8:
        share = values / (2**header.BitsStored - 1)
    else:
        padding = header.get("PixelPaddingValue")
        counted = values[stored != padding] if padding is not None else values
        share = (values - counted.min()) / (counted.max() - counted.min())
    share = np.clip(share, 0, 1)
    return 1 - share if header.PhotometricInterpretation == "MONOCHROME1" else share


def test_there_are_such_files() -> None:
    assert len(FILES) >= 30
    assert {path.name for path in FILES} >= set(REFUSED) | set(TWELVE_BIT_JPEG)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_right_or_refused_for_a_true_reason(path: Path) -> None:
    if path.name in REFUSED:
        with pytest.raises(ImageError, match=REFUSED[path.name]):
            read_dicom(path)
        return
    read = read_dicom(path)
    header = dicom_header(path)
    assert (header.height, header.width, header.bits) == (*read.shape, 8 * read.itemsize)
    if path.name in TWELVE_BIT_JPEG:
        shares = {(x, y): read[y, x] / 65535 for x, y in LIBJPEG_SHARES}
        assert shares == pytest.approx(LIBJPEG_SHARES, abs=2 / 255)
        assert read.mean() / 65535 == pytest.approx(0.05448, abs=0.002)
        return
    np.testing.assert_allclose(read / np.iinfo(read.dtype).max, shown(path), atol=1 / 255)
