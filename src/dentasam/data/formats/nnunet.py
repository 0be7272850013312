"""The raw data of nnU-Net (version 2): one grayscale image and one label image for each case.

::

    dataset.json                 channel_names, labels (name: value), numTraining, file_ending
    imagesTr/CASE_0000.png       8 or 16 bits, with the values of `read_image`
    labelsTr/CASE.png            a pixel's value is its category

The segmentation is semantic: objects of one category in an image become pieces of one object. Of objects that
overlap, the smaller one keeps its pixels. Values follow each other from 1 in chart order, over all categories of the
dataset, so that its parts have the same ones. Tags and the mark of the numbering are further keys, which nnU-Net does
not read.

Read are `imagesTr` with `labelsTr` (and `imagesTs` with `labelsTs`) as PNG, TIFF or NIfTI, of version 1 too.
The first channel is the radiograph. A label of several values (a region) is an object of all their pixels; `ignore`
is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.label_image import Lost, label_image, runs_by_value
from dentasam.data.formats.codecs.nifti_volume import read_label_volume, volume_size, write_radiograph
from dentasam.data.formats.codecs.nnunet_description import (
    BACKGROUND,
    IGNORE,
    MAX_VALUE,
    DatasetDescription,
    Label,
    read_description,
    tags_of,
)
from dentasam.data.formats.files.folders import (
    crowd_notes,
    inner_name,
    json_bytes,
    png_bytes,
    short_names,
    write_png,
)
from dentasam.data.formats.files.mask_file import read_labels, stored_size
from dentasam.data.formats.files.numbering_mark import numbering_mark
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DatasetError
from dentasam.model.chart.dentition import chart_place

JSON = "dataset.json"
SPLITS = ("Tr", "Ts")
CHANNEL = "_0000"
NIFTI = ".nii"
# A file's name has at most 255 bytes.
MAX_CASE = 200
_FURTHER_CHANNEL = re.compile(r"_(?!0000)\d{4}")


def recognises(source: Path) -> bool:
    """A folder with `dataset.json` and `labelsTr`, or that JSON."""
    folder = source.parent if source.name == JSON else source
    return (folder / JSON).is_file() and (folder / "labelsTr").is_dir()


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads `dataset.json`, and the label image of a case when it is loaded. Cases without labels are left out.

    Raises DatasetError for a JSON without labels, and an ending that is not read.
    """
    folder = source.parent if source.is_file() else source
    described = read_description(folder / JSON)
    images.read_elsewhere.append(described.ending)
    if described.passed_over:
        options.report(f"the label {IGNORE!r} is left out")
    records: list[SourceRecord] = []
    for split in SPLITS:
        known = _cases(images.within(f"images{split}"), folder / f"images{split}", described.ending, images)
        labels = sorted((folder / f"labels{split}").glob(f"*{described.ending}"))
        for file in labels:
            case = file.name.removesuffix(described.ending)
            records.append(
                SourceRecord(f"labels{split}/{case}", partial(_load, file, case, known, images, described, options))
            )
        further = _further_channels(folder / f"images{split}", described.ending)
        if further:
            options.report(f"{further} files of further channels in images{split} left out")
        left = len(known.keys() - {file.name.removesuffix(described.ending) for file in labels})
        if left and images.root is not None:
            options.report(f"{left} image{'s' * (left != 1)} of images{split} without labels left out")
    if not records:
        raise DatasetError(
            f"{folder}/labelsTr holds no {described.ending} file, the file_ending of {JSON}; correct it"
        )
    return Contents(records, described.numbering)


def named_images(dataset: Dataset) -> Dataset:
    """Names each image `imagesTr/CASE_0000.png`, with characters of a case that nnU-Net and file systems allow."""
    cases = _case_names([inner_name(image) for image in dataset.images])
    images = zip(dataset.images, cases, strict=True)
    named = tuple(replace(image, file_name=f"imagesTr/{case}{CHANNEL}.png") for image, case in images)
    return replace(dataset, images=named)


def copy_image(image: ImageRecord, target: Path) -> None:
    """Writes the gray values as PNG. Raises ImageError, DatasetError, OutputError."""
    write_png(target, image.read())


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `dataset.json` and `labelsTr/`; says which objects were joined and which lost pixels to others.

    Raises DatasetError for a category that nnU-Net gives a meaning of its own.
    """
    used = {record.category for image in dataset.images for record in image.objects}
    names = sorted(used | {category.name for category in dataset.categories}, key=_chart_order)
    for name in (BACKGROUND, IGNORE):
        if name in names:
            raise DatasetError(f"{dataset.path}: nnU-Net gives the category {name!r} a meaning; rename it")
    if len(names) > MAX_VALUE:
        raise DatasetError(f"{dataset.path}: more than {MAX_VALUE} categories; export as png")
    values = {name: value for value, name in enumerate(names, start=1)}
    lost, joined = Lost(), 0
    tags: dict[str, list[str]] = {}
    for image in dataset.images:
        case = PurePosixPath(image.file_name).name.removesuffix(f"{CHANNEL}.png")
        labels, lost_here = label_image(image, [values[record.category] for record in image.objects])
        lost += lost_here
        joined += len(image.objects) - len({record.category for record in image.objects})
        write(f"labelsTr/{case}.png", png_bytes(labels.astype(np.uint8) if len(names) <= 255 else labels))
        if image.tags:
            tags[case] = list(image.tags)
    content = {
        "channel_names": {"0": "X-ray"},
        "labels": {BACKGROUND: 0, **values},
        "numTraining": len(dataset.images),
        "file_ending": ".png",
        **numbering_mark(dataset),
        **({"tags": tags} if tags else {}),
    }
    write(JSON, json_bytes(content))
    of_one = f"{joined} object{'s' * (joined != 1)} joined with another of the same category in the image"
    return (*lost.notes(dataset.objects), *((f"{of_one}; the format png keeps them apart",) * bool(joined)),
            *crowd_notes(dataset))  # fmt: skip


def _chart_order(name: str) -> tuple[int, int, str]:
    return chart_place(name), int(name) if name.isascii() and name.isdigit() and len(name) < 10 else 0, name


def _case_names(names: list[str]) -> list[str]:
    """A name for each image, of letters, digits, `-` and `_` alone, and each once whatever its case."""
    short = short_names(names)
    taken: set[str] = set()
    cases: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", short[name])[:MAX_CASE] or "case"
        case, number = plain, 2
        while case.lower() in taken:
            case, number = f"{plain}-{number}", number + 1
        taken.add(case.lower())
        cases.append(case)
    return cases


def _cases(within: SourceImages, folder: Path, ending: str, images: SourceImages) -> dict[str, SourceImage | Path]:
    """The radiographs by their cases. The images of a worklist may have the names from which cases were made."""
    if images.root is None and ending.startswith(NIFTI):
        folder = Path(images.place)
    elif images.root is None:
        listed = within.all()
        cases = _case_names([image.name.removeprefix("images/") for image in listed])
        found: dict[str, SourceImage | Path] = dict(zip(cases, listed, strict=True))
        return found | {
            PurePosixPath(image.name).stem.removesuffix(CHANNEL): image
            for image in listed
            if PurePosixPath(image.name).stem.endswith(CHANNEL)
        }
    if ending.startswith(NIFTI):
        first = f"{CHANNEL}{ending}"
        return {path.name.removesuffix(first): path for path in sorted(folder.glob(f"*{first}"))}
    return {
        PurePosixPath(image.name).stem.removesuffix(CHANNEL): image
        for image in within.all()
        if PurePosixPath(image.name).stem.endswith(CHANNEL)
    }


def _further_channels(folder: Path, ending: str) -> int:
    files = (path.name.removesuffix(ending) for path in folder.glob(f"*{ending}"))
    return sum(_FURTHER_CHANNEL.fullmatch(name[-5:]) is not None for name in files)


def _load(
    file: Path,
    case: str,
    known: Mapping[str, SourceImage | Path],
    images: SourceImages,
    described: DatasetDescription,
    options: ReadOptions,
) -> ImageRecord:
    image = known.get(case)
    if image is None:
        raise ImageNotFound(
            f"{file}: its image {f'{case}{CHANNEL}{described.ending}'!r:.100} is not in {images.place}; "
            "put it into the folder of the images"
        )
    if isinstance(image, Path):
        path = options.scratch / file.parent.name / f"{case}.png"
        shown, (height, width) = f"{case}.png", volume_size(image)
    else:
        path, (height, width) = image.path, image.size
        shown = image.name if images.root is None else f"{case}{Path(image.name).suffix}"
    values = _values(file, height, width)
    found = dict(runs_by_value(values, file))
    unknown = found.keys() - described.passed_over - {value for label in described.labels for value in label.values}
    if unknown:
        raise DatasetError(f"{file} has the value {min(unknown)}, which {described.path} does not name; add it there")
    objects = tuple(
        ObjectRecord.from_runs(0, label.name, _runs_of(label, values, found), height, width)
        for label in described.labels
        if found.keys() & set(label.values)
    )
    if isinstance(image, Path):
        write_radiograph(image, path, options.report)
    return ImageRecord(0, path, shown, width, height, tags_of(described, case), objects)


def _runs_of(label: Label, values: np.ndarray, found: Mapping[int, np.ndarray]) -> np.ndarray:
    """The RLE runs of a label. found: those of each value in the label image."""
    if len(label.values) == 1:
        return found[label.values[0]]
    return rle.encode(np.isin(values, label.values))


def _values(file: Path, height: int, width: int) -> np.ndarray:
    """The values (H, W) of a label image as stored. Raises DatasetError, also for another size, and ImageError."""
    values = read_label_volume(file) if file.name.endswith((".nii", ".nii.gz")) else None
    size = stored_size(file) if values is None else values.shape
    if size != (height, width):
        raise DatasetError(
            f"{file} has {size[1]}x{size[0]} pixels, its image {width}x{height}; "
            "export the labels again at the image's size"
        )
    return read_labels(file) if values is None else values
