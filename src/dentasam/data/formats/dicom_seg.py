"""DICOM segmentations (SEG): a file of binary frames for each radiograph, a segment for each object.

::

    images/NAME.dcm           the radiographs: DICOM files as they are, others as Secondary Capture
    segmentations/NAME.dcm    their segmentations, which refer to them by UID

A segment's label is its object's category. A tooth has the SNOMED CT code of its number (CID 4018 and 4019) as the
segment's type; read are these codes and the earlier ones, which say the tooth whatever the label is. Segments overlap
freely, and objects of one category stay apart. Tags and regions of many objects have no place. The plane in space
that a file states is nominal, for viewers that ask for one (`dicom.plane`).

Segmentations of other tools are read in any transfer syntax that pydicom decodes: BINARY, FRACTIONAL (cut at half)
and LABELMAP. A file is recognised by its content. Its image is found by its SOP Instance UID among the images of the
source; several files for one image are several results. Images under `images/` that no file refers to have no
object.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from dentasam.data.dataset import Dataset
from dentasam.data.formats.dicom.glance import is_segmentation
from dentasam.data.formats.files.folders import IMAGES, crowd_notes, inner_name, named_under_images, short_names
from dentasam.data.formats.files.free_names import FreeNames
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.formats.tooth_names import declared, with_numbering
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import MARK, Numbering, Verdict, recognise, to_fdi
from dentasam.data.teeth.snomed import code_of
from dentasam.errors import DatasetError, DentasamError, ExtraError
from dentasam.files.whole_file import copy_whole, write_whole

if TYPE_CHECKING:
    from dentasam.data.formats.dicom.frames import Frame, SegmentationFile
    from dentasam.data.formats.dicom.references import ReferredImages

FOLDER = "segmentations"
# Files of a folder that are looked at to recognise it.
MAX_LOOKED_AT = 200


def recognises(source: Path) -> bool:
    """A DICOM segmentation, or a folder that has one among its first files."""
    if not source.is_dir():
        return source.is_file() and is_segmentation(source)
    place = source / FOLDER if (source / FOLDER).is_dir() else source
    for number, path in enumerate(_files(place)):
        if number >= MAX_LOOKED_AT:
            break
        if is_segmentation(path):
            return True
    return False


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the headers of all segmentations and finds their images; frames are decoded when an image is loaded."""
    from dentasam.data.formats.dicom.references import ReferredImages

    paths = [source] if source.is_file() else [path for path in _files(source) if is_segmentation(path)]
    if not paths:
        raise DatasetError(f"{source} holds no DICOM segmentation; name a SEG file or a folder of them")
    known = ReferredImages(images)
    records: list[SourceRecord] = []
    used: set[Path] = set()
    damaged: set[str] = set()
    coded = False
    for path in paths:
        shown = path.relative_to(source).as_posix() if source.is_dir() else path.name
        try:
            found, tooth = _records(path, shown, known, options)
        except DentasamError as error:
            found, tooth = [(SourceRecord(shown, partial(_raise, error)), None)], False
            damaged.add(path.stem)
        records += [record for record, _ in found]
        used |= {image for _, image in found if image is not None}
        coded = coded or tooth
    # The image of a damaged segmentation is not one without objects.
    others = [image for image in known.all if image.path not in used and Path(image.name).stem not in damaged]
    records += _without_segmentation(others, images, options)
    if coded and options.numbering not in (None, Numbering.fdi):
        options.report(
            f"--numbering {options.numbering} applies to labels only; a tooth with a code is what that says"
        )
    fdi = coded or options.numbering is not None
    return Contents(records, Numbering.fdi if fdi else None, renumbered=fdi)


def named_images(dataset: Dataset) -> Dataset:
    """Names each image `images/NAME.dcm`. Raises ExtraError where no segmentation can be written."""
    if find_spec("highdicom") is None:
        raise ExtraError("dicom-seg is written with the package highdicom; pip install 'dentasam[dicom]'")
    placed = named_under_images(dataset)
    short = short_names(inner_name(image) for image in placed.images)
    names = FreeNames()

    def named(image: ImageRecord) -> ImageRecord:
        inner = names.free(f"{short[inner_name(image)].removesuffix('.dcm')}.dcm", image.id)
        return replace(image, file_name=f"{IMAGES}/{inner}")

    return replace(placed, images=tuple(map(named, placed.images)))


def copy_image(image: ImageRecord, target: Path) -> None:
    """Copies a DICOM file as it is, and writes a Secondary Capture of any other image. Raises ImageError."""
    from dentasam.data.formats.dicom.capture import capture_bytes
    from dentasam.data.formats.dicom.references import can_be_referred_to

    if can_be_referred_to(image.path):
        copy_whole(image.path, target)
    else:
        write_whole(target, capture_bytes(image.read(), target.stem))


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `segmentations/`; an image without objects has no file there.

    Opens the image files. Where one is not DICOM, the capture that the segmentation refers to is written too. Raises
    ImageError where one cannot be read, DatasetError where a segmentation cannot be made.
    """
    from dentasam.data.formats.dicom.building import segmentation_bytes
    from dentasam.data.formats.dicom.capture import capture_bytes, capture_header
    from dentasam.data.formats.dicom.plane import Plane
    from dentasam.data.formats.dicom.references import can_be_referred_to, referred_header

    dataset, numbers, notes = _numbered(dataset)
    kinds = {category.name: category.supercategory for category in dataset.categories}
    for image in dataset.images:
        if not image.objects:
            continue
        name = PurePosixPath(inner_name(image))
        if can_be_referred_to(image.path):
            header, plane = referred_header(image)
        else:
            pixels = image.read()
            header, plane = capture_header(pixels, name.stem), Plane()
            write(f"{IMAGES}/{name}", capture_bytes(pixels, name.stem))
        write(f"{FOLDER}/{name}", segmentation_bytes(image, header, plane, kinds, numbers))
    tagged = sum(bool(image.tags) for image in dataset.images)
    tags = (f"the tags of {tagged} image{'s' * (tagged != 1)} left out; coco keeps them",) * bool(tagged)
    return (*tags, *notes, *crowd_notes(dataset))


def _numbered(dataset: Dataset) -> tuple[Dataset, dict[str, str], tuple[str, ...]]:
    """The dataset, the FDI numbers of those of its categories that are teeth, and a line where these are unknown.

    A tooth keeps its name in the numbering that the dataset states. What has no code, as Universal's supernumerary
    teeth, gets its FDI name, since the codes of a file show that its names are FDI.
    """
    names = dict.fromkeys(record.category for image in dataset.images for record in image.objects)
    stated = declared(dataset.info.get(MARK))
    if stated is None:
        found = recognise(names)
        if found.verdict is Verdict.no_numbers:
            return dataset, {}, ()
        if found.numbering is not Numbering.fdi and found.verdict is not Verdict.ambiguous:
            note = f"no codes of teeth written, since their numbers are not all FDI numbers ({found.reason})"
            return dataset, {}, (note,)
        stated = Numbering.fdi
    plain = with_numbering(dataset, Numbering.fdi)
    numbers: dict[str, str] = {}
    images: list[ImageRecord] = []
    for own, other in zip(dataset.images, plain.images, strict=True):
        objects: list[ObjectRecord] = []
        for record, renamed in zip(own.objects, other.objects, strict=True):
            coded = code_of(renamed.category) is not None
            objects.append(record if coded else renamed)
            if coded:
                numbers[record.category] = renamed.category
        images.append(replace(own, objects=tuple(objects)))
    return replace(dataset, images=tuple(images)), numbers, ()


def _records(
    path: Path, shown: str, known: ReferredImages, options: ReadOptions
) -> tuple[list[tuple[SourceRecord, Path | None]], bool]:
    """A record and the image's path for each image that a file refers to; whether codes say which teeth it has."""
    from dentasam.data.formats.dicom.frames import read_segmentation

    file = read_segmentation(path)
    _report_without_frames(file, options)
    name = shown.removeprefix(f"{FOLDER}/").removesuffix(".dcm")
    by_image: dict[str, list[Frame]] = {}
    for frame in file.frames:
        by_image.setdefault(frame.image, []).append(frame)
    records: list[tuple[SourceRecord, Path | None]] = []
    for uid, frames in by_image.items():
        where = shown if len(by_image) == 1 else f"{shown}, image {uid[:64]}"
        try:
            image = known.find(uid, path, name)
        except DatasetError as error:
            records.append((SourceRecord(where, partial(_raise, error)), None))
            continue
        load = partial(_load, file, tuple(frames), image, options)
        records.append((SourceRecord(where, load), image.path))
    return records, bool(file.coded)


def _load(file: SegmentationFile, frames: tuple[Frame, ...], image: SourceImage, options: ReadOptions) -> ImageRecord:
    from dentasam.data.formats.dicom.frames import read_masks

    height, width = image.size
    if file.size != (height, width):
        raise DatasetError(
            f"{file.path} has frames of {file.size[1]}x{file.size[0]} pixels, its image {image.name} has "
            f"{width}x{height}; segment the image at its own size"
        )
    objects: list[ObjectRecord] = []
    filled: set[int] = set()
    for number, mask in read_masks(file, frames, options.report):
        name = file.names.get(number)
        if name is None:
            raise DatasetError(f"{file.path}: segment {number} is not described; export it again")
        if options.numbering is not None and number not in file.coded:
            name = to_fdi(name, options.numbering) or name
        objects.append(ObjectRecord.from_mask(0, name, mask))
        filled.add(number)
    empty = {frame.segment for frame in frames if frame.segment is not None} - filled
    if empty:
        options.report(f"{file.path}: {_listed(file, empty)} without pixels left out")
    return ImageRecord(0, image.path, image.name, width, height, (), tuple(objects))


def _without_segmentation(
    others: list[SourceImage], images: SourceImages, options: ReadOptions
) -> list[SourceRecord]:
    """Records of the images under `images/` to which no file refers; images elsewhere are reported."""
    if images.root is None:
        return []
    ours = [image for image in others if image.name.startswith(f"{IMAGES}/")]
    left = len(others) - len(ours)
    if left:
        options.report(f"{left} image{'s' * (left != 1)} left out, to which no segmentation refers")

    def load(image: SourceImage) -> ImageRecord:
        height, width = image.size
        return ImageRecord(0, image.path, image.name, width, height)

    return [SourceRecord(f"image {image.name}", partial(load, image)) for image in ours]


def _report_without_frames(file: SegmentationFile, options: ReadOptions) -> None:
    if file.kind == "LABELMAP":
        return
    missing = file.names.keys() - {frame.segment for frame in file.frames}
    if missing:
        options.report(f"{file.path}: {_listed(file, missing)} without a frame left out")


def _listed(file: SegmentationFile, numbers: set[int]) -> str:
    names = Counter(file.names[number] for number in sorted(numbers))
    shown = ", ".join(f"{name!r:.40}" for name in list(names)[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(numbers)} segment{'s' * (len(numbers) != 1)} ({shown})"


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder and its subfolders, by name; hidden and linked folders are not entered."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place) / name


def _raise(error: DentasamError) -> NoReturn:
    raise error
