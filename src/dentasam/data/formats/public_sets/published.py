"""What the readers of published datasets share: refusals that say where the set is, and images beside masks."""

from __future__ import annotations

import codecs
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dentasam.data.formats.interface import ReadOptions
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.errors import DatasetError


@dataclass(frozen=True)
class PublishedSet:
    """A published dataset. address: where it is. layout: the files that are read, in a few words."""

    name: str
    address: str
    layout: str

    def refusal(self, place: Path, what: str) -> DatasetError:
        """The error for a source of another layout, or a file that is not as published."""
        return DatasetError(f"{place}: {what}; give {self.layout}, as {self.name} is published at {self.address}")


def read_published_json(path: Path, published: PublishedSet) -> Any:
    """The content of a JSON file of a set, in UTF-8 or, with a byte order mark, UTF-16. Raises DatasetError."""
    try:
        data = path.read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return json.loads(data.decode("utf-16" if wide else "utf-8-sig"))
    except OSError as error:
        raise published.refusal(path, f"it cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise published.refusal(path, "it is not readable JSON") from None


def error_or_skip(options: ReadOptions, line: str) -> None:
    """Raises DatasetError, or hands the line on where the user wants objects with errors to be left out."""
    if options.skip_bad is None:
        raise DatasetError(line)
    options.skip_bad(line)


def images_in(images: SourceImages, folder: Path) -> SourceImages:
    """The images under a folder of the source, named relative to it; all where they lie elsewhere."""
    if images.root is None or not folder.is_dir():
        return images
    inner = Path(os.path.abspath(folder)).relative_to(images.root).as_posix()
    return images if inner == "." else images.within(inner)


def image_beside(images: SourceImages, folder: Path, stem: str, mask: Path) -> SourceImage:
    """The image of a mask, by its name without suffix in its folder, so that no mask is taken for an image.

    Raises ImageNotFound.
    """
    found = images_in(images, folder).find_stem(f"{stem}.png", mask)
    if images.root is None:
        return found
    return replace(found, name=found.path.relative_to(images.root).as_posix())


def mask_size_error(mask: Path, size: tuple[int, int], image: SourceImage, published: PublishedSet) -> DatasetError:
    """The error for a mask (height, width) that is not of its image's size."""
    height, width = image.size
    what = f"its mask has {size[1]}x{size[0]} pixels, the image {image.name} {width}x{height}"
    return published.refusal(mask, what)
