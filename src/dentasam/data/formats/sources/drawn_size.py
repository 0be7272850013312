"""Whether annotations were drawn on an image as its file stores it."""

from __future__ import annotations

from dentasam.data.formats.sources.images import SourceImage
from dentasam.data.images.orientation import ON_ITS_SIDE, UPRIGHT
from dentasam.data.images.read import read_header
from dentasam.errors import DatasetError, ImageError

# How far the sides' ratio of a scaled image may be from the original's: rounding to whole pixels.
MAX_STRETCH = 0.01


def checked_size(
    image: SourceImage, drawn: tuple[int, int] | None, where: str, relative: bool = False
) -> tuple[int, int]:
    """Height and width of an image that a tool which applies orientation tags has shown.

    drawn: those of the picture in the tool, if the source gives them. where: begins the message. relative: positions
    are in parts of the image, which may have been scaled since. Raises DatasetError where the picture was turned by
    the image's orientation tag, and where it has another size; ImageError where the image cannot be read.
    """
    size, orientation = _stored(image)
    turned = size[::-1] if orientation in ON_ITS_SIDE else size
    if orientation in range(2, 9) and drawn in (None, turned):
        raise DatasetError(
            f"{where}: {image.name} has the orientation tag {orientation}, and its objects were drawn on the turned "
            f"picture; {UPRIGHT}"
        )
    if drawn is None or drawn == size or (relative and _same_ratio(drawn, size)):
        return size
    raise DatasetError(
        f"{where}: its objects were drawn on {drawn[1]}x{drawn[0]} pixels, {image.name} has {size[1]}x{size[0]}; "
        "put the image there that was annotated"
    )


def _stored(image: SourceImage) -> tuple[tuple[int, int], int]:
    """Height and width of an image, and its orientation tag; 1 for one of known size whose file is not there."""
    try:
        header = read_header(image.path)
    except ImageError:
        if image.known_size is None:
            raise
        return image.known_size, 1
    return image.known_size or (header.height, header.width), header.orientation


def _same_ratio(drawn: tuple[int, int], size: tuple[int, int]) -> bool:
    return abs(drawn[0] * size[1] / (drawn[1] * size[0]) - 1) <= MAX_STRETCH
