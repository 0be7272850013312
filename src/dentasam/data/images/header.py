"""Size, bits and display window of an image, from its file's header alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size in pixels; bits: 8 or 16, those of the array that is read.

    windowed: whether the file defines how to display its values (a DICOM window or VOI LUT); the pixels are then read
    through it, and are to be displayed over their whole range. orientation: the tag of EXIF or TIFF, 1 to 8.
    mm_per_pixel: the side of a pixel in millimetres, where the file states it and pixels are square (DICOM alone:
    resolution tags of PNG, JPEG and TIFF are about printing).
    """

    height: int
    width: int
    bits: int
    windowed: bool = False
    orientation: int = 1
    mm_per_pixel: float | None = None
