"""Opening a DICOM file in any encoding, and finding the transfer syntax of its pixels."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dentasam.data.images.dicom.compression.pixel_element import PixelElement, pixel_element
from dentasam.data.images.dicom.detect import looks_like_dicom
from dentasam.data.images.dicom.header_limits import CountedBytes, CountedFile, check_elements
from dentasam.data.images.size_limit import INFLATED_LIMIT
from dentasam.errors import ImageError

HEAD_BYTES = 4096
INFLATED_AT_ONCE = 1 << 24
# Implicit little endian but for the pixels, which are big endian: a private one of GE, known to most viewers.
GE_BIG_ENDIAN_PIXELS = UID("1.2.840.113619.5.2")
PAPYRUS = UID("1.2.840.10008.1.20")
NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    GE_BIG_ENDIAN_PIXELS,
    PAPYRUS,
)


@dataclass(frozen=True)
class DicomFile:
    """A data set with its transfer syntax; order: byte order of pixels that are not compressed, `<` or `>`.

    pixels: the start of the pixel data, where the data set was read without them and has any.
    """

    dataset: pydicom.Dataset
    syntax: UID
    order: str
    pixels: PixelElement | None = None

    @property
    def is_compressed(self) -> bool:
        return self.syntax not in NATIVE


def open_dicom(path: Path, pixels: bool) -> DicomFile:
    """Parses a file, without its pixel data unless asked. Raises ImageError where it is not DICOM.

    Where no transfer syntax is stated (files without preamble and meta header), the elements themselves show
    their byte order and whether the VR is written.
    """
    with _inflated(path) or CountedFile(path) as source:
        dataset = pydicom.dcmread(source, force=True, stop_before_pixels=not pixels)
        check_elements(path, dataset)
        if "Rows" not in dataset and "SOPClassUID" not in dataset and not looks_like_dicom(path):
            raise ImageError(f"{path} is not a DICOM file; check what it is, or rename it after its real format")
        implicit, little = dataset.original_encoding
        order = "<" if little else ">"
        element = None if pixels else pixel_element(source, order)
    _take_frame_groups(dataset)
    stated = dataset.file_meta.get("TransferSyntaxUID")
    if not stated and not little:
        stated = ExplicitVRBigEndian
    elif not stated:
        stated = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return DicomFile(dataset, UID(stated), ">" if stated == GE_BIG_ENDIAN_PIXELS else order, element)


def _take_frame_groups(dataset: pydicom.Dataset) -> None:
    """Moves what enhanced images keep for each frame, rescale and window, to where other images have it.

    PS3.3 C.7.6.16: the groups of the first frame, before those that all frames share.
    """
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for group in dataset.get(groups) or ():
            for kept in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                for item in group.get(kept) or ():
                    for tag in item.keys() - dataset.keys():
                        dataset[tag] = item.get_item(tag)
            break


def _inflated(path: Path) -> CountedBytes | None:
    """The data set of a deflated file, which pydicom would unpack without limit; None for all others."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head[128:132] != b"DICM" or DeflatedExplicitVRLittleEndian.encode() not in head:
            return None
        # The first element, (0002,0000) UL, is the length of the rest of the meta header.
        file.seek(144 + int.from_bytes(head[140:144], "little"))
        packed = file.read()
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    content = CountedBytes(path)
    while not unpacker.eof and packed:
        content.write(unpacker.decompress(packed, INFLATED_AT_ONCE))
        packed = unpacker.unconsumed_tail
        if content.tell() > INFLATED_LIMIT:
            raise ImageError(f"{path} unpacks to over {INFLATED_LIMIT // 1_000_000} MB; export it uncompressed")
    if not unpacker.eof:
        raise ImageError(f"{path} is damaged or truncated DICOM (its deflated data end early); export it again")
    content.seek(0)
    return content
