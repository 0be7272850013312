"""The largest image that is read, and the most parts that its file may have.

A small file may claim a huge size, unpack to a thousand times its own, or consist of millions of parts that each take
a while. Every limit lies far above what radiographs have, and keeps reading below 2 GB and a few seconds.
"""

from pathlib import Path

from dentasam.errors import ImageError

# Panoramics have 1 to 10 megapixels.
PIXEL_LIMIT = 100_000_000
# Decoded samples, all channels together, and what is decoded of them at once: 16-bit RGB of 100 megapixels.
DECODED_LIMIT = 12 * PIXEL_LIMIT
# Of one image in DICOM, which is held a second time while it is converted.
DICOM_LIMIT = 6 * PIXEL_LIMIT
# A deflated DICOM data set: four bytes for each pixel.
INFLATED_LIMIT = 4 * PIXEL_LIMIT
# Elements of a DICOM header, those of sequences included; a segmentation of 1,000 objects has 30,000.
MAX_ELEMENTS = 100_000
# A sequence at the top of a header, and a value that pydicom splits into numbers or texts. Lookup tables have 128 kB.
MAX_SEQUENCE_BYTES, MAX_VALUE_BYTES = 4 << 20, 256 << 10
# Fragments of one compressed image; writers use 4 kB and more for each.
MAX_FRAGMENTS = 100_000
# A progressive JPEG has about ten scans, each of which goes through the whole image.
MAX_SCANS = 100
# Chunks of a PNG, most with 8 kB of pixels and more; strips or tiles of a TIFF, of one row and more.
MAX_CHUNKS, MAX_SEGMENTS = 300_000, 100_000
START_OF_SCAN = b"\xff\xda"


def check_size(path: Path, height: int, width: int) -> None:
    """Raises ImageError where an image has no pixels or more than PIXEL_LIMIT."""
    if height < 1 or width < 1:
        raise ImageError(f"{path} has no pixels ({width} x {height}); export it again")
    if height * width > PIXEL_LIMIT:
        raise ImageError(
            f"{path} has {width} x {height} pixels, over {PIXEL_LIMIT // 1_000_000} megapixels; shrink it"
        )


def check_decoded(path: Path, size: int, limit: int) -> None:
    """Raises ImageError where decoding would take more bytes than the limit."""
    if size > limit:
        raise ImageError(
            f"{path} unpacks to {size // 1_000_000} MB, over {limit // 1_000_000} MB; shrink it, or save it as a "
            "16-bit grayscale PNG"
        )


def check_count(path: Path, count: int, limit: int, what: str) -> None:
    """Raises ImageError where a file has more parts of a kind (`what`) than the limit."""
    if count > limit:
        raise ImageError(f"{path} has more than {limit:,} {what}; save the radiograph as a plain PNG")
