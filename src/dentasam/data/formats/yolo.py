"""YOLO for segmentation: a text file of outlines for each image, and `data.yaml` with the names of the classes.

::

    images/train/a.jpg   labels/train/a.txt    Ultralytics
    train/images/a.jpg   train/labels/a.txt    Roboflow
    a.jpg                a.txt                 Darknet

Polygons follow the rule `yolo` of `data.masks.polygons`. All label files of the folder become one dataset, whatever
`train`, `val` and `test` in `data.yaml` say; whether an image was for training is not kept. The names stand in
`data.yaml` (a list or a mapping), or line by line in `classes.txt` or `obj.names`.

An image with an empty label file has no objects; one without a label file was not labelled, and is left out with a
line. Rows of five numbers are boxes of detection: beside outlines they are passed over with a line, and a dataset of
boxes alone is refused.

Holes and parts are written as `codecs.yolo_rows` says. Where two images have the same name but for the suffix, the id
leads the second, since YOLO could not tell their label files apart. Tags lie in `tags.json`, which YOLO passes over,
as it does the key `numbering` in `data.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.yolo_names import names_in_yaml
from dentasam.data.formats.codecs.yolo_rows import check_box, class_and_mask, is_box, row_of_mask
from dentasam.data.formats.files.folders import crowd_notes, named_under_images, read_tags, write_tags
from dentasam.data.formats.files.numbering_mark import numbering_mark
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import ImageTaken, SourceImage, SourceImages
from dentasam.data.links import check_no_link_out
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import canonical
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.error import DocumentError
from dentasam.documents.text import read_text
from dentasam.errors import DatasetError

YAML_NAME, LABELS, IMAGES = "data.yaml", "labels", "images"
OBJ_NAMES = "obj.names"
NAME_LISTS = ("classes.txt", OBJ_NAMES, "labels/classes.txt")
YAML_SUFFIXES = (".yaml", ".yml")
# Text files that are not labels, where labels lie among other files and --images names another folder.
NOT_LABELS = ("train", "val", "valid", "test", "readme", "readme.dataset", "readme.roboflow")
MAX_FILE_BYTES = 16 * 1024 * 1024
FIX_ROW = "export it again for segmentation, or delete the row"


def recognises(source: Path) -> bool:
    """A YAML with names of classes, a folder with one, or a folder with a list of names and label files."""
    if not source.is_dir():
        text = first_text(source, YAML_SUFFIXES)
        return "names:" in text and any(key in text for key in ("train:", "val:", "nc:"))
    if (source / OBJ_NAMES).is_file() or any(recognises(path) for path in _yamls(source)):
        return True
    listed = any((source / name).is_file() for name in NAME_LISTS)
    return listed and next(_label_files(source), None) is not None


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Lists the label files and counts their rows; outlines are drawn when an image is loaded."""
    folder = source if source.is_dir() else source.parent
    names, numbering = _names(source)
    tags = read_tags(folder)
    files = list(_label_files(folder))
    texts = files or list(_texts(folder))
    for path in texts:
        images.expect(_image_name(path, folder), annotation=path, stem=True)
    if not files:
        files = [path for path in texts if _is_beside(path, folder, images)]
    if not files:
        raise DatasetError(f"{folder} holds no label files; name the folder that holds 'labels'")
    boxes = outlines = 0
    claimed: set[Path] = set()
    for path in files:
        rows = _rows(path, strict=False)
        boxes += sum(map(is_box, rows))
        outlines += sum(not is_box(row) for row in rows)
        if (image := _image_of(path, folder, images)) is not None:
            claimed.add(image.path)
    if boxes and not outlines:
        raise DatasetError(f"{folder}: all of its {boxes} rows are boxes, without outlines; {FIX_ROW.split(',')[0]}")
    if boxes:
        options.report(f"boxes without outlines passed over: {boxes} rows; draw masks where they are needed")
    if images.root is not None and (unlabelled := sum(image.path not in claimed for image in images.all())):
        options.report(f"images without a label file left out: {unlabelled}; an empty one says 'no objects'")
    load = partial(_load, folder=folder, names=names, images=images, tags=tags, skip_bad=options.skip_bad)
    return Contents([SourceRecord(str(path), partial(load, path)) for path in files], numbering)


def named_images(dataset: Dataset) -> Dataset:
    """Images under `images/`, no two of them with the same path but for the suffix."""
    return named_under_images(dataset, without_suffix=True)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `data.yaml`, a label file for each image, and `tags.json` where there are tags.

    Raises DatasetError for a label file that would be too large to be read again.
    """
    used = (record.category for image in dataset.images for record in image.objects)
    names = list(dict.fromkeys([*(category.name for category in dataset.categories), *used]))
    places = {name: place for place, name in enumerate(names)}
    holes = joined = left_out = 0
    for image in dataset.images:
        lines: list[str] = []
        for record, mask in zip(image.objects, image.boxed_masks(), strict=True):
            row = row_of_mask(mask, image.height, image.width)
            holes += row.holes > 0
            joined += row.parts > 1
            left_out += row.left_out
            lines.append(row.line(places[record.category]) + "\n")
        if sum(map(len, lines)) > MAX_FILE_BYTES:
            raise DatasetError(f"{image.path}: its outlines need more than {MAX_FILE_BYTES >> 20} MB; export as png")
        write(_label_name(image.file_name), "".join(lines).encode())
    write(YAML_NAME, _yaml_bytes(names, numbering_mark(dataset)))
    write_tags(dataset, write)
    notes = [f"the holes of {holes} object{'s' * (holes != 1)} were filled; coco and png keep them"] if holes else []
    if joined:
        objects = f"{joined} object{'s' * (joined != 1)}"
        notes.append(f"the parts of {objects} were joined by lines one pixel wide; coco and png keep them")
    if left_out:
        parts = f"{left_out} smallest part{'s' * (left_out != 1)}"
        notes.append(f"the {parts} of objects with too many were left out; coco and png keep them")
    return (*notes, *crowd_notes(dataset))


def _load(
    path: Path,
    folder: Path,
    names: dict[int, str],
    images: SourceImages,
    tags: dict[str, tuple[str, ...]],
    skip_bad: Callable[[str], None] | None,
) -> ImageRecord:
    image = images.find_stem(_image_name(path, folder), path)
    height, width = image.size
    objects: list[ObjectRecord] = []
    for number, row in enumerate(_rows(path), start=1):
        if not row:
            continue
        try:
            if is_box(row):
                check_box(row)
                continue
            category, mask = class_and_mask(row, height, width)
            if category not in names:
                raise ValueError(f"its class {category!s:.20} has no name, the last one is {max(names)}")
        except ValueError as error:
            line = f"{path}, row {number}: {error}; {FIX_ROW}"
            if skip_bad is None:
                raise DatasetError(line) from None
            skip_bad(line)
            continue
        objects.append(
            ObjectRecord.from_runs(0, names[category], rle.encode_box(*mask, height, width), height, width)
        )
    own = tags.get(canonical(image.name.removeprefix(f"{IMAGES}/")), ())
    return ImageRecord(0, image.path, image.name, width, height, own, tuple(objects))


def _label_files(folder: Path) -> Iterator[Path]:
    """The text files in folders `labels`."""
    for path in _texts(folder):
        if LABELS in path.relative_to(folder).parts[:-1]:
            yield path


def _texts(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.txt")):
        if path.is_file() and path.name != NAME_LISTS[0] and not path.name.startswith("."):
            yield path


def _is_beside(path: Path, folder: Path, images: SourceImages) -> bool:
    """Whether a text file outside of folders `labels` holds labels: it has an image, where these are beside it."""
    if images.root is None:
        return path.stem.lower() not in NOT_LABELS
    try:
        return images.find_stem(_image_name(path, folder), path) is not None
    except DatasetError as error:
        return isinstance(error, ImageTaken)  # which loading reports


def _image_name(path: Path, folder: Path) -> str:
    """The place of an image by that of its label file, with the label file's suffix."""
    parts = list(path.relative_to(folder).parts)
    if LABELS in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index(LABELS)] = IMAGES
    return "/".join(parts)


def _label_name(image: str) -> str:
    """The place of a label file by that of its image, as Ultralytics looks for it: in place of the last `images`."""
    parts = list(PurePosixPath(image).with_suffix(".txt").parts)
    parts[len(parts) - 2 - parts[-2::-1].index(IMAGES)] = LABELS
    return "/".join(parts)


def _image_of(path: Path, folder: Path, images: SourceImages) -> SourceImage | None:
    try:
        return images.find_stem(_image_name(path, folder), path)
    except DatasetError:
        return None


def _rows(path: Path, strict: bool = True) -> list[str]:
    """The rows of a label file, empty ones among them. Raises DatasetError if strict, else passes over errors."""
    try:
        return [row.strip() for row in _text(path).splitlines()]
    except DatasetError:
        if strict:
            raise
        return []


def _text(path: Path) -> str:
    check_no_link_out(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DatasetError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB; take it out of the dataset")
        return read_text(path, MAX_FILE_BYTES)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from None
    except DocumentError as error:
        raise DatasetError(f"{path} is {error}; save it as UTF-8") from None


def _yamls(folder: Path) -> list[Path]:
    return [path for suffix in YAML_SUFFIXES for path in sorted(folder.glob(f"*{suffix}")) if path.is_file()]


def _names(source: Path) -> tuple[dict[int, str], Numbering | None]:
    """The names of the classes, and the numbering that our own export states."""
    if source.is_file() and source.suffix.lower() in YAML_SUFFIXES:
        return names_in_yaml(source, _text(source))
    folder = source if source.is_dir() else source.parent
    usual = [path for path in _yamls(folder) if path.stem.lower() in ("data", "dataset")]
    found = usual or [path for path in _yamls(folder) if recognises(path)]
    if len(found) > 1:
        raise DatasetError(
            f"{folder} holds several YAML files, {found[0].name} and {found[1].name}; name one of them"
        )
    if found:
        return names_in_yaml(found[0], _text(found[0]))
    listed = next((folder / name for name in NAME_LISTS if (folder / name).is_file()), None)
    if listed is None:
        raise DatasetError(f"{folder} has no {YAML_NAME} and no {NAME_LISTS[0]}; put the names of its classes there")
    names = [line.strip() for line in _text(listed).rstrip().splitlines()]
    if not any(names):
        raise DatasetError(f"{listed} holds no name; write that of each class on a line")
    if "" in names:
        raise DatasetError(f"{listed}, line {names.index('') + 1}: it has no name; write that of the class there")
    return dict(enumerate(names)), None


def _yaml_bytes(names: list[str], mark: dict[str, str]) -> bytes:
    content: dict[str, Any] = {"train": IMAGES, "val": IMAGES, "nc": len(names), "names": dict(enumerate(names))}
    content |= mark
    head = "# train and val both name all images; export the parts of `dentasam data split` to have different ones.\n"
    return (head + yaml.safe_dump(content, allow_unicode=True, sort_keys=False)).encode()
