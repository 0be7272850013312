"""The frames of a DICOM segmentation: which segment and which image each belongs to, and its mask.

PS3.3 A.51 and C.8.20. Read with pydicom alone, and tolerantly: what a frame belongs to may stand beside the frame, be
shared by all frames, or follow from the one image that the file refers to.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array

from dentasam.data.formats.dicom.codes import MANUFACTURER, name_of
from dentasam.data.formats.dicom.glance import LABEL_MAP, SEGMENTATION
from dentasam.data.images.dicom.compression.pixel_element import PixelElement
from dentasam.data.images.dicom.file import DicomFile, open_dicom
from dentasam.errors import DatasetError, DentasamError

# The least value of a fractional segmentation that counts, as a share of the greatest.
THRESHOLD = 0.5
EXPORT_AGAIN = "export it again"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Frame:
    """index: in the file, from 0. segment: its number, None in a label map. image: SOP Instance UID."""

    index: int
    segment: int | None
    image: str


@dataclass(frozen=True)
class SegmentationFile:
    """What the header of a segmentation says.

    names: the category of each segment by its number. coded: the numbers of those of which a code says which tooth
    they are. kind: BINARY, FRACTIONAL or LABELMAP. size: (height, width) of the frames.
    """

    path: Path
    kind: str
    size: tuple[int, int]
    names: dict[int, str]
    coded: frozenset[int]
    frames: tuple[Frame, ...]


def read_segmentation(path: Path) -> SegmentationFile:
    """Reads the header. Raises DatasetError or ImageError for a file that is not a segmentation or malformed."""
    return _checked(path, lambda: _parsed(path, _opened(path, pixels=False)))


def read_masks(
    file: SegmentationFile, frames: tuple[Frame, ...], report: Callable[[str], None]
) -> Iterator[tuple[int, np.ndarray]]:
    """Number and mask (H, W) bool of each segment that has pixels in some frames, one at a time, by number.

    Frames of one segment are joined. report: takes a line where values were cut at a threshold. Raises DatasetError
    for pixel data that are cut or cannot be decoded.
    """
    decoded = _decoded(file, tuple(sorted(frames, key=lambda frame: frame.segment or 0)), report)
    if file.kind == "LABELMAP" and len(frames) > 1:
        yield from sorted(_joined(file, decoded).items())
        return
    number, joined = 0, np.zeros((0, 0), bool)
    while (found := _checked(file.path, lambda: next(decoded, None))) is not None:
        if joined.any() and found[0] != number:
            yield number, joined
        same = found[0] == number and joined.size
        number, joined = found[0], joined | found[1] if same else found[1]
    if joined.any():
        yield number, joined


def _joined(file: SegmentationFile, decoded: Iterator[tuple[int, np.ndarray]]) -> dict[int, np.ndarray]:
    """The masks of a label map of several frames, each of which may have pixels of any segment."""
    masks: dict[int, np.ndarray] = {}
    while (found := _checked(file.path, lambda: next(decoded, None))) is not None:
        number, mask = found
        masks[number] = masks[number] | mask if number in masks else mask
    return masks


def _decoded(
    file: SegmentationFile, frames: tuple[Frame, ...], report: Callable[[str], None]
) -> Iterator[tuple[int, np.ndarray]]:
    opened = _opened(file.path, pixels=True)
    dataset = opened.dataset
    if "PixelData" not in dataset:
        raise DatasetError(f"{file.path} has no pixel data; {EXPORT_AGAIN}")
    bits = int(dataset.get("BitsAllocated") or 0)
    packed = file.kind == "BINARY" and bits == 1 and not opened.is_compressed
    content = _in_little_endian(dataset, opened.order) if packed else b""
    full = int(dataset.get("MaximumFractionalValue") or 255)
    soft = False
    for frame in frames:
        if packed:
            values = _bits(file, content, frame.index)
        else:
            values = pixel_array(dataset, index=frame.index, raw=True)
        if values.shape != file.size:
            raise DatasetError(
                f"{file.path}: frame {frame.index + 1} has another size than its header; {EXPORT_AGAIN}"
            )
        if frame.segment is None:
            ground = int(dataset.get("PixelPaddingValue") or 0)
            for number in np.unique(values).tolist():
                if number != ground:
                    yield number, values == number
        elif file.kind == "FRACTIONAL":
            soft = soft or bool(((values > 0) & (values < full)).any())
            yield frame.segment, values >= THRESHOLD * full
        else:
            yield frame.segment, values > 0
    if soft:
        report(f"{file.path} has fractions between 0 and 1; they were cut at half")


def _in_little_endian(dataset: pydicom.Dataset, order: str) -> bytes:
    """Packed bits as a little-endian file has them: words of a big-endian file have their high byte first."""
    content: bytes = dataset.PixelData
    if order == "<" or dataset["PixelData"].VR != "OW":
        return content
    return np.frombuffer(content[: len(content) // 2 * 2], ">u2").astype("<u2").tobytes()


def _bits(file: SegmentationFile, content: bytes, index: int) -> np.ndarray:
    """Frame `index` of packed bits: lowest first, and frames follow each other without filling up bytes."""
    height, width = file.size
    start, stop = index * height * width, (index + 1) * height * width
    if len(content) * 8 < stop:
        raise DatasetError(f"{file.path}: its pixel data end before frame {index + 1}; {EXPORT_AGAIN}")
    part = np.frombuffer(content, np.uint8, -(-stop // 8) - start // 8, start // 8)
    return np.unpackbits(part, bitorder="little")[start % 8 :][: height * width].reshape(height, width)


def _parsed(path: Path, opened: DicomFile) -> SegmentationFile:
    dataset = opened.dataset
    kind = str(dataset.get("SegmentationType") or "")
    if str(dataset.get("SOPClassUID") or "") not in (SEGMENTATION, LABEL_MAP):
        raise DatasetError(f"{path} is not a DICOM segmentation; name a SEG file or a folder of them")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise DatasetError(f"{path}: its SegmentationType {kind!r:.40} is not read; export it as BINARY")
    names: dict[int, str] = {}
    coded: set[int] = set()
    own = str(dataset.get("Manufacturer") or "") == MANUFACTURER
    for segment in dataset.get("SegmentSequence") or ():
        number = _integer(segment, "SegmentNumber")
        if number is None or number in names:
            raise DatasetError(f"{path}: its segments have no number, or {number} twice; {EXPORT_AGAIN}")
        names[number], tooth = name_of(segment, own)
        if tooth:
            coded.add(number)
    if not names:
        raise DatasetError(f"{path} describes no segment; {EXPORT_AGAIN}")
    size = _integer(dataset, "Rows") or 0, _integer(dataset, "Columns") or 0
    count = _integer(dataset, "NumberOfFrames") or 1
    frames = tuple(_frames(path, dataset, kind, count, names))
    _check_length(path, opened, count * size[0] * size[1])
    return SegmentationFile(path, kind, size, names, frozenset(coded), frames)


def _frames(path: Path, dataset: pydicom.Dataset, kind: str, count: int, names: dict[int, str]) -> Iterator[Frame]:
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    if len(groups) != count:
        raise DatasetError(f"{path} describes {len(groups)} frames and has {count}; {EXPORT_AGAIN}")
    shared = _item(dataset, "SharedFunctionalGroupsSequence")
    whole = _of_whole(dataset)
    for index, group in enumerate(groups):
        segment = None
        if kind != "LABELMAP":
            own = _item(group, "SegmentIdentificationSequence") or _item(shared, "SegmentIdentificationSequence")
            segment = _integer(own, "ReferencedSegmentNumber")
            if segment not in names:
                raise DatasetError(
                    f"{path}: frame {index + 1} is of segment {segment}, which is not described; {EXPORT_AGAIN}"
                )
        images = _images_of(group) or _images_of(shared) or whole
        if len(images) != 1:
            what = "several images" if images else "no image"
            raise DatasetError(f"{path}: frame {index + 1} refers to {what}; export a segmentation of one radiograph")
        yield Frame(index, segment, next(iter(images)))


def _images_of(group: pydicom.Dataset | None) -> set[str]:
    """The UIDs of the images from which a frame was derived."""
    return {
        str(image.get("ReferencedSOPInstanceUID") or "")
        for derivation in (group.get("DerivationImageSequence") or () if group is not None else ())
        for image in derivation.get("SourceImageSequence") or ()
    } - {""}


def _of_whole(dataset: pydicom.Dataset) -> set[str]:
    """The UIDs of the images that the file refers to as a whole."""
    listed = {
        str(image.get("ReferencedSOPInstanceUID") or "")
        for series in dataset.get("ReferencedSeriesSequence") or ()
        for image in series.get("ReferencedInstanceSequence") or ()
    } - {""}
    return listed or _images_of_root(dataset)


def _images_of_root(dataset: pydicom.Dataset) -> set[str]:
    images = (*(dataset.get("SourceImageSequence") or ()), *(dataset.get("ReferencedImageSequence") or ()))
    return {str(image.get("ReferencedSOPInstanceUID") or "") for image in images} - {""}


def _check_length(path: Path, opened: DicomFile, pixels: int) -> None:
    element: PixelElement | None = opened.pixels
    if element is None:
        raise DatasetError(f"{path} has no pixel data; {EXPORT_AGAIN}")
    bits = int(opened.dataset.get("BitsAllocated") or 0)
    if not opened.is_compressed and element.length is not None and element.length * 8 < pixels * bits:
        raise DatasetError(f"{path}: its pixel data are cut; copy it again from its source")


def _item(item: pydicom.Dataset | None, keyword: str) -> pydicom.Dataset | None:
    found = item.get(keyword) if item is not None else None
    return found[0] if found else None


def _integer(item: pydicom.Dataset | None, keyword: str) -> int | None:
    value = item.get(keyword) if item is not None else None
    return None if value is None or value == "" else int(value)


def _opened(path: Path, pixels: bool) -> DicomFile:
    opened = open_dicom(path, pixels)
    if pixels:
        # A file without a meta header does not state it, and pydicom's decoders ask for it.
        opened.dataset.file_meta.TransferSyntaxUID = opened.syntax
    return opened


def _checked(path: Path, read: Callable[[], T]) -> T:
    try:
        # pydicom warns of every odd value of a header.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except DentasamError:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}); check the path") from None
    except Exception as error:
        # A crafted or cut file makes pydicom and its decoders raise almost any exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{path} is a damaged segmentation ({reason:.200}); {EXPORT_AGAIN}") from None
