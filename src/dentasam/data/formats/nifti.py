"""NIfTI label volumes: `images/` as they are, and `labels/IMAGE.nii.gz` of (W, H, 1) voxels for each.

A voxel's value is its object, 0 is none. Overlap is lost as in the format labels, whose `labels.json` and `tags.json`
are here too. How a volume's axes and affine relate to the picture is written in `codecs.nifti_volume`.

Read are volumes of one slice: (W, H), (W, H, 1), of any type if the values are whole numbers. The radiographs may be
NIfTI too; they become PNG files with the same values, which are scaled over their range only where 16 bits cannot
hold them. Values are named by `labels.json`, by a label file of ITK-SNAP, or are FDI numbers themselves.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.label_image import Lost, instance_image, runs_by_value
from dentasam.data.formats.codecs.label_names import NAMES, LabelNames, read_label_names
from dentasam.data.formats.codecs.nifti_volume import (
    SUFFIXES,
    is_nifti,
    read_label_volume,
    require_nibabel,
    volume_bytes,
    volume_size,
    volumes_under,
    without_suffix,
    write_radiograph,
)
from dentasam.data.formats.files.folders import (
    IMAGES,
    crowd_notes,
    inner_name,
    json_bytes,
    named_under_images,
    read_tags,
    short_names,
    write_tags,
)
from dentasam.data.formats.files.numbering_mark import numbering_mark
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.labels import LABELS, categories_by_value
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import canonical
from dentasam.errors import DatasetError, ImageError

MAX_BYTE = 255


def recognises(source: Path) -> bool:
    """A NIfTI file, or a folder with one under `labels`."""
    if source.is_file():
        return is_nifti(source)
    return any(is_nifti(path) for path in (source / LABELS).rglob("*.nii*"))


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the label volumes under `labels`, or one volume; images without one are left out with a line.

    Loading an image raises DatasetError for a label volume of another size, of several slices, with values that are
    not whole numbers, with too many values, and for a value without a name. Raises ExtraError without nibabel.
    """
    require_nibabel()
    folder = source / LABELS if source.is_dir() else source.parent
    files = [source] if source.is_file() else volumes_under(folder)
    if not files:
        raise DatasetError(f"{folder} holds no NIfTI file; put the label volumes there")
    names = read_label_names(source, folder) if source.is_dir() else read_label_names(folder)
    tags = read_tags(source) if source.is_dir() else {}
    images.read_elsewhere += SUFFIXES
    finder = _Images(source, images)
    records: list[SourceRecord] = []
    by_name: dict[str, Path] = {}
    for file in files:
        name = without_suffix(file.relative_to(folder).as_posix())
        if name in by_name:
            raise DatasetError(f"{by_name[name]} and {file.name} are labels of one image; take one of them out")
        by_name[name] = file
        finder.expect(name, file)
        records.append(SourceRecord(f"{LABELS}/{name}", partial(_load, file, name, finder, names, tags, options)))
    left = finder.without({without_suffix(file.relative_to(folder).as_posix()) for file in files})
    if left and source.is_dir():
        options.report(f"{left} image{'s' * (left != 1)} without a label volume left out")
    return Contents(records, names.numbering)


def named_images(dataset: Dataset) -> Dataset:
    """Names the images as other formats do. Raises ExtraError without nibabel."""
    require_nibabel()
    return named_under_images(dataset)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `labels/`, `labels.json` and `tags.json`; says how many objects lost pixels to others."""
    names: dict[str, object] = dict(numbering_mark(dataset))
    short = short_names(inner_name(image) for image in dataset.images)
    lost = Lost()
    for image in dataset.images:
        name = inner_name(image)
        labels, lost_here = instance_image(image)
        lost += lost_here
        narrow = labels.astype(np.uint8) if len(image.objects) <= MAX_BYTE else labels
        write(f"{LABELS}/{short[name]}.nii.gz", volume_bytes(narrow, _mm_per_pixel(image)))
        names[name] = categories_by_value(image)
    write(NAMES, json_bytes(names))
    write_tags(dataset, write)
    return (*lost.notes(dataset.objects), *crowd_notes(dataset))


def _mm_per_pixel(image: ImageRecord) -> float | None:
    try:
        return image.mm_per_pixel()
    except ImageError:
        return None  # the masks may be there without the image


class _Images:
    """The radiographs of the label volumes, by the volumes' names."""

    def __init__(self, source: Path, images: SourceImages) -> None:
        self._images = images.within(IMAGES)
        if not len(self._images):
            self._images = images
        found = {image.name: image for image in self._images.all()}
        short = short_names(found)
        self._by_short = {canonical(short[name]): image for name, image in found.items()}
        self._by_name = {canonical(name): image for name, image in found.items()}
        # The listing of images passes over volumes.
        place = source / IMAGES if images.root is not None else Path(images.place)
        self._volumes = {
            canonical(without_suffix(path.relative_to(place).as_posix())): path for path in volumes_under(place)
        }

    def find(self, name: str, file: Path) -> SourceImage | Path:
        """The image, or the volume, of the label volume with a name. Raises DatasetError."""
        exact = self._exact(name, file)
        return self._images.find_stem(f"{name}.nii") if exact is None else exact

    def expect(self, name: str, file: Path) -> None:
        """Announces that the label volume with a name will look for its image."""
        exact = self._exact(name, file)
        if exact is None:
            self._images.expect(f"{name}.nii", stem=True)
        elif isinstance(exact, SourceImage):
            self._images.expect(exact.name)

    def _exact(self, name: str, file: Path) -> SourceImage | Path | None:
        key = canonical(name)
        exact = self._by_short.get(key) or self._by_name.get(key) or self._volumes.get(key)
        return None if exact == file else exact

    def without(self, names: set[str]) -> int:
        """How many images have none of the names of label volumes."""
        keys = {canonical(name) for name in names}
        stems = {PurePosixPath(key).name for key in keys}
        images = sum(
            canonical(short) not in keys and PurePosixPath(canonical(image.name)).stem not in stems
            for short, image in self._by_short.items()
        )
        return images + len(self._volumes.keys() - keys)


def _load(
    file: Path,
    name: str,
    finder: _Images,
    names: LabelNames,
    tags: dict[str, tuple[str, ...]],
    options: ReadOptions,
) -> ImageRecord:
    found = finder.find(name, file)
    if isinstance(found, Path):
        shown, path = f"{name}.png", options.scratch / f"{name}.png"
        height, width = volume_size(found)
    else:
        shown, path, (height, width) = found.name, found.path, found.size
    size = volume_size(file)
    if size != (height, width):
        raise DatasetError(
            f"{file} has {size[1]}x{size[0]} pixels, its image {width}x{height}; "
            "export the labels again at the image's size (the first axis is x)"
        )
    labels = read_label_volume(file)
    objects = tuple(
        ObjectRecord.from_runs(0, names.category(shown, value), runs, height, width)
        for value, runs in runs_by_value(labels, file)
    )
    if isinstance(found, Path):
        write_radiograph(found, path, options.report)
    return ImageRecord(0, path, shown, width, height, tags.get(canonical(shown), ()), objects)
