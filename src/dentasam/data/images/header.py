"""What an image file's header alone says of the pixels that `read_image` makes of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size in pixels; bits: 8 or 16, those of the array that is read.

    windowed: whether the file says itself which of its values to show (a DICOM window or VOI LUT); the pixels are
    read through it then, and are to be shown over their whole range.
    """

    height: int
    width: int
    bits: int
    windowed: bool = False
    orientation: int = 1
