"""VOI and modality LUTs as devices write them, against a table applied by hand."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from dentasam.data.images.dicom.read import read_dicom
from dentasam.data.notices import collected_notices

from ..dicom_files import Write, lut, ramp

TABLE = np.sqrt(np.linspace(0, 1, 3000))  # shares of white
FIRST = 500


def item(descriptor: tuple[str, list[int]], entries: tuple[str, bytes], order: str = "<") -> Dataset:
    made = Dataset()
    vr, numbers = descriptor
    made.add_new("LUTDescriptor", vr, numbers)
    made.add_new("LUTData", *entries)
    return made


def shown(pixels: np.ndarray, table: np.ndarray, first: int, white: int) -> np.ndarray:
    """PS3.3 C.11.2.1.1: values before the table take its first entry, those after it its last."""
    entries = table[np.clip(pixels.astype(int) - first, 0, len(table) - 1)]
    return np.rint(entries / white * 65535)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 15, 16])
def test_every_width(write: Write, bits: int) -> None:
    table = np.rint(TABLE * (2**bits - 1)).astype(int)
    read = read_dicom(write(ramp(), VOILUTSequence=[lut(FIRST, table.tolist(), bits)]))
    np.testing.assert_array_equal(read, shown(ramp(), table, FIRST, 2**bits - 1))


@pytest.mark.parametrize(("declared", "filled"), [(16, 12), (16, 10), (16, 8), (12, 16), (8, 12), (12, 10)])
def test_where_the_declared_bits_are_wrong_the_greatest_entry_is_white(
    write: Write, declared: int, filled: int
) -> None:
    table = np.rint(TABLE * (2**filled - 1)).astype(int)
    read = read_dicom(write(ramp(), VOILUTSequence=[lut(FIRST, table.tolist(), declared)]))
    np.testing.assert_array_equal(read, shown(ramp(), table, FIRST, table.max()))


def test_a_table_that_does_not_reach_white_keeps_its_scale(write: Write) -> None:
    table = np.rint(TABLE * 3000).astype(int)
    read = read_dicom(write(ramp(), VOILUTSequence=[lut(FIRST, table.tolist(), 12)]))
    np.testing.assert_array_equal(read, shown(ramp(), table, FIRST, 4095))


# The table is over 64 kB, for which its VR becomes UN.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_0_entries_are_65536(write: Write) -> None:
    table = np.arange(65536)[::-1]
    read = read_dicom(write(ramp(0, 60000), bits=16, VOILUTSequence=[lut(0, table.tolist(), 16)]))
    np.testing.assert_array_equal(read, 65535 - ramp(0, 60000))


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_entries_of_one_byte(write: Write, vr: str, big_endian: bool) -> None:
    table = np.rint(TABLE * 255).astype(np.uint8)
    packed = table.tobytes()
    if vr == "OW" and big_endian:
        packed = np.frombuffer(packed, "<u2").astype(">u2").tobytes()
    sequence = [item(("US", [3000, FIRST, 8]), (vr, packed))]
    syntax = {"syntax": ExplicitVRBigEndian} if big_endian else {}
    read = read_dicom(write(ramp(), VOILUTSequence=sequence, **syntax))
    np.testing.assert_array_equal(read, shown(ramp(), table, FIRST, 255))


def test_entries_in_words_of_either_byte_order(write: Write) -> None:
    table = np.rint(TABLE * 4095).astype(np.uint16)
    for syntax, order in (({}, "<u2"), ({"syntax": ExplicitVRBigEndian}, ">u2")):
        sequence = [item(("US", [3000, FIRST, 12]), ("OW", table.astype(order).tobytes()))]
        read = read_dicom(write(ramp(), VOILUTSequence=sequence, **syntax))
        np.testing.assert_array_equal(read, shown(ramp(), table, FIRST, 4095))


@pytest.mark.parametrize("descriptor", [("SS", [4096, -2048, 12]), ("US", [4096, 63488, 12])])
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_first_value_of_signed_pixels(write: Write, descriptor: tuple[str, list[int]], keyword: str) -> None:
    pixels = ramp(-1961, 2039, np.int16)
    table = np.rint(np.sqrt(np.linspace(0, 1, 4096)) * 4095).astype(np.uint16)
    sequence: dict[str, Any] = {keyword: [item(descriptor, ("OW", table.tobytes()))]}
    read = read_dicom(write(pixels, **sequence))
    if keyword == "VOILUTSequence":
        np.testing.assert_array_equal(read, shown(pixels, table, -2048, 4095))
    else:
        values = table[pixels.astype(int) + 2048].astype(float)
        np.testing.assert_array_equal(read, np.rint((values - values.min()) / np.ptp(values) * 65535))


def test_first_value_above_32767_of_unsigned_pixels(write: Write) -> None:
    pixels = ramp(36000, 44000)
    table = np.rint(np.linspace(0, 65535, 4096)).astype(np.uint16)
    for descriptor in (("US", [4096, 40000, 16]), ("SS", [4096, 40000 - 65536, 16])):
        read = read_dicom(write(pixels, bits=16, VOILUTSequence=[item(descriptor, ("OW", table.tobytes()))]))
        np.testing.assert_array_equal(read, shown(pixels, table, 40000, 65535))


def test_the_table_acts_on_rescaled_values(write: Write) -> None:
    table = np.rint(TABLE * 4095).astype(int)
    path = write(ramp(), RescaleSlope=2, RescaleIntercept=-1000, VOILUTSequence=[lut(FIRST, table.tolist(), 12)])
    np.testing.assert_array_equal(read_dicom(path), shown(2 * ramp().astype(int) - 1000, table, FIRST, 4095))


def test_the_first_table_that_can_be_applied_counts(write: Write) -> None:
    table = np.rint(TABLE * 4095).astype(int)
    read = read_dicom(write(ramp(), VOILUTSequence=[Dataset(), lut(FIRST, table.tolist(), 12), lut(0, [1, 2], 8)]))
    np.testing.assert_array_equal(read, shown(ramp(), table, FIRST, 4095))


@pytest.mark.parametrize("length", [0, 2000, 5998])
def test_a_table_cut_short_is_passed_over_for_the_window(write: Write, length: int) -> None:
    sequence = [item(("US", [3000, FIRST, 12]), ("OW", bytes(length)))]
    with collected_notices() as notices:
        read = read_dicom(write(ramp(), VOILUTSequence=sequence, WindowCenter=2048, WindowWidth=4096))
    np.testing.assert_allclose(read, ramp().astype(float) / 4095 * 65535, atol=1)
    assert notices == ["has a VOILUTSequence without a table that can be applied; it is passed over"]


def test_a_table_beside_the_values_is_reported(write: Write) -> None:
    sequence = [lut(9000, list(range(100)), 8)]
    with collected_notices() as notices:
        read_dicom(write(ramp(), VOILUTSequence=sequence))
    assert notices == ["has a VOI LUT that misses its values, 0 to 4095; all of them are shown alike"]
