"""What the readers of published datasets share: refusals that say where the set is, and images beside masks."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dentasam.data.formats.files.json_values import read_json
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
    """The content of a JSON file of a set, as `read_json`. Raises DatasetError."""
    try:
        return read_json(path)
    except DatasetError as error:
        raise published.refusal(path, f"it{str(error).partition(';')[0].removeprefix(str(path))}") from None


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
