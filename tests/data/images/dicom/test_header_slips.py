"""Slips of the header that viewers take: read as the standard's default, and reported once."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dentasam.data.images.dicom.read import dicom_header, read_dicom
from dentasam.data.notices import collected_notices
from dentasam.errors import ImageError

from .dicom_files import Write, ramp, to_16_bits

BY_RANGE = to_16_bits(ramp(), 0, 4095)
# PS3.3 C.11.2.1.2: from c - 0.5 - (w - 1) / 2 to c - 0.5 + (w - 1) / 2.
WINDOW = {"WindowCenter": 2000, "WindowWidth": 1001}
BY_WINDOW = to_16_bits(ramp(), 1499.5, 2499.5)
EMPTY = ("DS", b"")

SLIPS: list[tuple[dict[str, Any], np.ndarray, list[str]]] = [
    (
        {"RescaleSlope": EMPTY, "RescaleIntercept": 0},
        BY_RANGE,
        ["has a RescaleSlope that is empty or not a number; 1 is assumed"],
    ),
    (
        {"RescaleSlope": 1, "RescaleIntercept": EMPTY, **WINDOW},
        BY_WINDOW,
        ["has a RescaleIntercept that is empty or not a number; 0 is assumed"],
    ),
    ({"RescaleSlope": 0, "RescaleIntercept": 0, **WINDOW}, BY_WINDOW, ["has RescaleSlope 0; 1 is assumed"]),
    (
        {"RescaleSlope": ("DS", b"1,0 "), "RescaleIntercept": ("DS", b"0,0 "), **WINDOW},
        BY_WINDOW,
        [
            "has a decimal comma in RescaleSlope; it is read as a point",
            "has a decimal comma in RescaleIntercept; it is read as a point",
        ],
    ),
    (
        {"WindowCenter": ("DS", b"2000,0"), "WindowWidth": ("DS", b"1001,0")},
        BY_WINDOW,
        [
            "has a decimal comma in WindowCenter; it is read as a point",
            "has a decimal comma in WindowWidth; it is read as a point",
        ],
    ),
    ({"WindowCenter": ("FD", np.float64(2000).tobytes()), "WindowWidth": ("US", b"\xe9\x03")}, BY_WINDOW, []),
    ({"WindowCenter": ("DS", b"2000\\40\\70 "), "WindowWidth": ("DS", b"1001\\9\\8 ")}, BY_WINDOW, []),
    ({"WindowCenter": ("DS", b"\\2000 "), "WindowWidth": ("DS", b"\\1001 ")}, BY_WINDOW, []),
    (
        {"WindowCenter": EMPTY, "WindowWidth": EMPTY},
        BY_RANGE,
        ["has a window that is empty or without width; it is passed over"],
    ),
    ({"WindowCenter": 2000}, BY_RANGE, ["has a window that is empty or without width; it is passed over"]),
    (
        {"WindowCenter": ("DS", b"middle"), "WindowWidth": ("DS", b"wide")},
        BY_RANGE,
        ["has a window that is empty or without width; it is passed over"],
    ),
    ({"VOILUTFunction": ("CS", b""), **WINDOW}, BY_WINDOW, ["has an empty VOILUTFunction; LINEAR is assumed"]),
    (
        {"VOILUTFunction": ("CS", b"LINEAR EXACT"), **WINDOW},
        BY_WINDOW,
        ["has an unknown (LINEAR EXACT) VOILUTFunction; LINEAR is assumed"],
    ),
    ({"VOILUTFunction": ("CS", b"linear"), **WINDOW}, BY_WINDOW, []),
    (
        {"VOILUTSequence": [Dataset()], **WINDOW},
        BY_WINDOW,
        ["has a VOILUTSequence without a table that can be applied; it is passed over"],
    ),
    (
        {"VOILUTSequence": [], **WINDOW},
        BY_WINDOW,
        ["has a VOILUTSequence without a table that can be applied; it is passed over"],
    ),
    (
        {"ModalityLUTSequence": [Dataset()]},
        BY_RANGE,
        ["has a ModalityLUTSequence without a table that can be applied; it is passed over"],
    ),
    ({"PhotometricInterpretation": None}, BY_RANGE, ["has no PhotometricInterpretation; MONOCHROME2 is assumed"]),
    (
        {"PhotometricInterpretation": "MONOCHROME"},
        BY_RANGE,
        ["has PhotometricInterpretation MONOCHROME; MONOCHROME2 is assumed"],
    ),
    ({"PhotometricInterpretation": ("CS", b"monochrome2 ")}, BY_RANGE, []),
    ({"SamplesPerPixel": None}, BY_RANGE, ["has no SamplesPerPixel; 1 is assumed"]),
    ({"PixelRepresentation": None}, BY_RANGE, ["has no valid PixelRepresentation; unsigned is assumed"]),
    (
        {"BitsStored": None, "HighBit": None},
        BY_RANGE,
        ["has no valid BitsStored; 16 is assumed", "has no valid HighBit; 15 is assumed"],
    ),
    ({"BitsStored": 20}, BY_RANGE, ["has no valid BitsStored; 16 is assumed", "has no valid HighBit; 15 is assumed"]),
    ({"HighBit": None}, BY_RANGE, ["has no valid HighBit; 11 is assumed"]),
    (
        {"NumberOfFrames": ("IS", b"")},
        BY_RANGE,
        ["has a NumberOfFrames that is empty or not a number; one frame is assumed"],
    ),
]


@pytest.mark.parametrize(("elements", "expected", "says"), SLIPS)
def test_a_slip_is_taken_and_reported(
    write: Write, elements: dict[str, Any], expected: np.ndarray, says: list[str]
) -> None:
    path = write(ramp(), **elements)
    with collected_notices() as notices:
        read = read_dicom(path)
    np.testing.assert_allclose(read, expected, atol=1)
    assert sorted(notices) == sorted(says)
    header = dicom_header(path)
    assert (header.height, header.width, header.bits) == (32, 64, 16)
    assert header.windowed == (expected is BY_WINDOW)


# pydicom warns of the slip when it is written.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_data_of_more_frames_than_the_header_names(write: Write) -> None:
    frames = ("OW", ramp().tobytes() + ramp(0, 100).tobytes())
    for elements in ({}, {"NumberOfFrames": 1}):
        with collected_notices() as notices:
            np.testing.assert_array_equal(read_dicom(write(ramp(), PixelData=frames, **elements)), BY_RANGE)
        assert notices == ["holds the data of 2 frames; the first is shown"]
    with pytest.raises(ImageError, match="holds 2 frames; export the one panoramic frame"):
        read_dicom(write(ramp(), PixelData=frames, NumberOfFrames=("IS", b"1A")))


def test_enhanced_images_keep_their_window_for_each_frame(write: Write) -> None:
    rescale, window, shared, frame = Dataset(), Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, -1000
    window.WindowCenter, window.WindowWidth = 3000, 2001
    shared.PixelValueTransformationSequence, frame.FrameVOILUTSequence = [rescale], [window]
    groups = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": [frame]}
    path = write(ramp(), NumberOfFrames=1, **groups)
    np.testing.assert_allclose(read_dicom(path), to_16_bits(2.0 * ramp() - 1000, 1999.5, 3999.5), atol=1)
    assert dicom_header(path).windowed


def test_linear_exact(write: Write) -> None:
    path = write(ramp(), VOILUTFunction="LINEAR_EXACT", WindowCenter=2000, WindowWidth=1000)
    np.testing.assert_allclose(read_dicom(path), to_16_bits(ramp(), 1500, 2500), atol=1)


def test_a_window_of_one_value_is_a_threshold(write: Write) -> None:
    read = read_dicom(write(ramp(), WindowCenter=2000, WindowWidth=1))
    np.testing.assert_array_equal(read, np.where(ramp() > 1999.5, 65535, 0))


@pytest.mark.parametrize("center", [20000, -9000])
def test_a_window_beside_the_values_is_reported(write: Write, center: int) -> None:
    with collected_notices() as notices:
        read = read_dicom(write(ramp(), WindowCenter=center, WindowWidth=100))
    assert np.unique(read).tolist() == [0 if center > 0 else 65535]
    assert notices == [
        f"has a window (centre {center}, width 100) that misses its values, 0 to 4095; all of them are shown alike"
    ]


def test_a_sound_file_says_nothing(write: Write) -> None:
    with collected_notices() as notices:
        read_dicom(write(ramp(), RescaleSlope=1, RescaleIntercept=0, VOILUTFunction="LINEAR", **WINDOW))
    assert notices == []
