"""How a dataset lies in a folder: `dataset.json`, its images under `images/`, and what a format adds."""

import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.free_names import FreeNames, comparable
from dentasam.data.formats.interface import WriteFile
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.images.orientation import report_orientation
from dentasam.data.images.read import read_header
from dentasam.data.links import check_no_link_out
from dentasam.data.record import ImageRecord
from dentasam.data.spelling import AmbiguousName, Spelling, canonical, portable
from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_json
from dentasam.documents.shown import without_middle
from dentasam.documents.text import LIST_BYTES, half_letter, half_letter_line
from dentasam.errors import DatasetError, ImageError, OutputError
from dentasam.files.output_folder import check_no_links
from dentasam.files.whole_file import copy_whole, write_whole

DATASET_NAME = "dataset.json"
TAGS_NAME = "tags.json"
IMAGES = "images"
# Of a file, as all usual file systems allow them.
MAX_NAME_BYTES = 255


def with_images_under(
    dataset: Dataset,
    out: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    named: Callable[[Dataset], Dataset] | None = None,
    copy: Callable[[ImageRecord, Path], None] | None = None,
) -> Dataset:
    """Copies the images byte for byte to `out/images` and returns the dataset with its paths there.

    An orientation tag is reported. progress: takes the number of images done and of all. named: gives the images
    other names inside `out`; without it, images of one file share its copy. copy: writes an image in another way.
    Raises OutputError where two files would get one name, and where a link in `out` is in the way.
    """
    copy = copy or _copied
    all_renamed = (named or sharing_files)(dataset).images
    # An image that lies in its place already may be reached by links of the user's own.
    check_no_links(
        out,
        (
            renamed.file_name
            for image, renamed in zip(dataset.images, all_renamed, strict=True)
            if not _is_there(out / renamed.file_name, image.path)
        ),
    )
    placed: list[ImageRecord] = []
    sources: dict[str, Path] = {}
    for image, renamed in zip(dataset.images, all_renamed, strict=True):
        target = out / renamed.file_name
        first = sources.get(comparable(renamed.file_name))
        if first is not None and first != image.path:
            raise OutputError(f"{target} would be both {first} and {image.path}; rename one of them")
        if first is None:
            sources[comparable(renamed.file_name)] = image.path
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if not _is_there(target, image.path):
                    copy(image, target)
            report_orientation_of(image.path)
        placed.append(replace(renamed, path=Path(os.path.abspath(target))))
        progress(len(placed), len(dataset.images))
    return replace(dataset, path=out / DATASET_NAME, images=tuple(placed), folder=None)


def _copied(image: ImageRecord, target: Path) -> None:
    copy_whole(image.path, target)


def _is_there(target: Path, source: Path) -> bool:
    try:
        return target.samefile(source)
    except OSError:
        return False


def named_under_images(dataset: Dataset, without_suffix: bool = False) -> Dataset:
    """The dataset with each image named `images/…`, no two of them alike; where they would be, the id leads one.

    without_suffix: as `FreeNames`.
    """
    names = FreeNames(without_suffix)

    def named(image: ImageRecord) -> ImageRecord:
        return replace(image, file_name=f"{IMAGES}/{names.free(inner_name(image), image.id)}")

    return replace(dataset, images=tuple(map(named, dataset.images)))


def sharing_files(dataset: Dataset) -> Dataset:
    """As `named_under_images`, but images of one file, such as those of several annotators, have its one name."""
    firsts: dict[Path, ImageRecord] = {}
    for image in dataset.images:
        firsts.setdefault(image.path, image)
    named = named_under_images(replace(dataset, images=tuple(firsts.values()))).images
    names = {image.path: image.file_name for image in named}
    images = tuple(replace(image, file_name=names[image.path]) for image in dataset.images)
    return replace(dataset, images=images)


def report_orientation_of(path: Path) -> None:
    """Reports the orientation tag of a copied image: its masks may have been drawn on the rotated picture."""
    with suppress(ImageError):
        report_orientation(path, read_header(path).orientation)


def inner_name(image: ImageRecord) -> str:
    """An image's path inside the folder `images`."""
    name = os.path.normpath(image.file_name.replace("\\", "/"))
    return Path(name).as_posix().removeprefix("images/")


def short_names(names: Iterable[str]) -> dict[str, str]:
    """The name of each image's masks: the image's path without suffix, unless another image then has it, too."""
    names = list(names)
    whole = {comparable(name) for name in names}
    shared = Counter(comparable(_without_suffix(name)) for name in names)

    def short(name: str) -> str:
        stem = _without_suffix(name)
        form = comparable(stem)
        return name if shared[form] > 1 or (stem != name and form in whole) else stem

    return {name: short(name) for name in names}


def _without_suffix(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def images_under(source: Path, images: SourceImages) -> dict[str, SourceImage]:
    """The images under `images/` of a folder, sorted by path, by their names there.

    Raises DatasetError where there is no image.
    """
    if not source.is_dir():
        raise DatasetError(f"{source} is not a folder; name the folder that holds 'images'")
    if images.root is not None and not (source / IMAGES).is_dir():
        raise DatasetError(f"{source} has no folder 'images'; put the radiographs there")
    found = images.within(IMAGES)
    if not len(found):
        raise DatasetError(f"{found.place} holds no PNG, JPEG, TIFF or DICOM image; put the radiographs there")
    return {image.name: image for image in found.all()}


def first_of(spelling: Spelling, folder: Path, *names: str) -> Path | None:
    """The first of the names in the folder, in any Unicode form. Raises DatasetError where two entries fit."""
    try:
        return next((path for name in names if (path := spelling.find(folder, name)) is not None), None)
    except AmbiguousName as error:
        raise DatasetError(f"{folder / names[0]} may be either of {error}; rename one of them") from None


def json_bytes(content: Any) -> bytes:
    return json.dumps(content, indent=1).encode()


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, {} where the file is missing. Raises DatasetError for anything else.

    It raises for a key that an object has twice as well, of which JSON readers take the last, and for a text with
    half of a character, which no file can hold.
    """
    try:
        check_no_link_out(path)
        content = read_json(path, LIST_BYTES, unique=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); correct it or delete it") from None
    except DocumentError as error:
        if error.key is not None:
            raise DatasetError(
                f"{path} has the key {error.key!r} twice in one object; take one of them out"
            ) from None
        raise DatasetError(f"{path} is not readable JSON ({error}); correct it or delete it") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not a JSON object; correct it or delete it")
    half = half_letter(content)
    if half is not None:
        raise DatasetError(f"{path}: {half_letter_line(half)}; write it anew")
    return content


def by_canonical_name(content: dict[str, Any]) -> dict[str, Any]:
    """The values of a JSON object by the canonical form of its keys, which are image paths."""
    return {canonical(portable(name)): value for name, value in content.items()}


def write_tags(dataset: Dataset, write: WriteFile) -> None:
    """Writes the images' tags, for which a folder of images has no place, to a file of their own."""
    tags = {inner_name(image): list(image.tags) for image in dataset.images if image.tags}
    if tags:
        write(TAGS_NAME, json_bytes(tags))


def read_tags(source: Path) -> dict[str, tuple[str, ...]]:
    """Tags by the image's path inside `images`, in its canonical form."""
    path = source / TAGS_NAME
    found = by_canonical_name(read_json_object(path))
    for name, tags in found.items():
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise DatasetError(f"{path}: the tags of {name} are not a list of strings; write them as such")
    return {name: tuple(tags) for name, tags in found.items()}


def folder_writer(out: Path) -> WriteFile:
    """Writes each file of an export under the folder `out`. Raises OutputError where it cannot be written."""

    def write(name: str, content: bytes) -> None:
        path = out / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)

    return write


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes (H, W) or BGR (H, W, 3), uint8 or uint16. Raises OutputError where the file cannot be written."""
    folder_writer(path.parent)(path.name, png_bytes(pixels))


def png_bytes(pixels: np.ndarray) -> bytes:
    """A PNG file of (H, W) or BGR (H, W, 3), uint8 or uint16."""
    done, coded = cv2.imencode(".png", pixels)
    if not done:
        raise ValueError(f"an array of {pixels.dtype} {pixels.shape} cannot be encoded as PNG")
    return coded.tobytes()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an error of the file system into an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG and max(len(os.fsencode(part)) for part in path.parts) > MAX_NAME_BYTES:
            raise OutputError(
                f"{without_middle(str(path), 200)} cannot be written (a name in it is too long for a file); "
                "shorten the name of the image or of the category"
            ) from None
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another --out") from None


def crowd_notes(dataset: Dataset) -> tuple[str, ...]:
    """A line for the user where a format has no place for regions of many objects."""
    count = sum(len(image.crowds) for image in dataset.images)
    return (f"{count} region{'s' * (count != 1)} of many objects (iscrowd 1) left out; coco keeps them",) * bool(
        count
    )
