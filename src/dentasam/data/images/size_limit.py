"""The largest image that is read."""

from pathlib import Path

from dentasam.errors import ImageError

# A small file may claim a huge size and fill the memory when unpacked; panoramics have 1 to 10 megapixels.
PIXEL_LIMIT = 100_000_000


def check_size(path: Path, height: int, width: int) -> None:
    """Raises ImageError where an image has no pixels or more than PIXEL_LIMIT."""
    if height < 1 or width < 1:
        raise ImageError(f"{path} has no pixels ({width} x {height}); export it again")
    if height * width > PIXEL_LIMIT:
        raise ImageError(
            f"{path} has {width} x {height} pixels, over {PIXEL_LIMIT // 1_000_000} megapixels; shrink it"
        )
