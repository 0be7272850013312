"""The size of a pixel, as a DICOM file states it.

Which element counts, in this order (PS3.3 C.8.11.4 and 10.7.1.3): Pixel Spacing is the size in the patient, where the
device was calibrated. Imager Pixel Spacing is that at the detector, and Nominal Scanned Pixel Spacing that of a film.
A panoramic magnifies by 1.1 to 1.3, differently along the arch and in height: lengths in millimetres are those at the
detector, or calibrated for one layer at best.
"""

from dentasam.data.images.dicom.elements import Elements

KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
# Rows and columns that differ by more have pixels that are not square, in which one length has no meaning.
MAX_ANISOTROPY = 0.01
# A panoramic's pixels are 0.05 to 0.2 mm wide. What lies far outside is a unit's error or a placeholder, such as 1.
MIN_MM, MAX_MM = 0.005, 0.9


def mm_per_pixel(elements: Elements) -> float | None:
    """The side of a pixel in millimetres; None where none is stated, or pixels are not square."""
    for keyword in KEYWORDS:
        values = elements.numbers(keyword)
        if len(values) == 2 and values[0] is not None and values[1] is not None:
            rows, columns = values[0], values[1]
            if MIN_MM <= rows <= MAX_MM and abs(rows - columns) <= MAX_ANISOTROPY * rows:
                return (rows + columns) / 2
    return None
