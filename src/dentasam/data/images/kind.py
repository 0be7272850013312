"""The kind of an image file, by its first bytes; the suffix decides only where they are not enough."""

from pathlib import Path

from dentasam.data.images.dicom.detect import HEAD_BYTES, encoding_of
from dentasam.errors import ImageError
from dentasam.files.regular_file import NotRegularError, open_regular

READ_KINDS = ("PNG", "JPEG", "TIFF", "DICOM")
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"}) | DICOM_SUFFIXES
# Image formats that are not read; such files in a folder are reported.
FOREIGN_SUFFIXES = frozenset(
    {".bmp", ".dib", ".gif", ".webp", ".jp2", ".j2k", ".jpx", ".jpf", ".heic", ".heif", ".avif", ".jxl", ".jxr"}
    | {".psd", ".pgm", ".ppm", ".pnm", ".jfif", ".jpe", ".btf", ".apng", ".ima", ".img"}
    | {".nii", ".mha", ".mhd", ".nrrd"}
)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    *((mark, "TIFF") for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    *((b"P%d" % number, "portable anymap") for number in range(1, 7)),
)
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"avis": "AVIF"}


def kind_of(path: Path) -> str:
    """PNG, JPEG, TIFF or DICOM. Raises ImageError for other kinds, by name, and for files that cannot be read."""
    try:
        with open_regular(path) as file:
            head = file.read(HEAD_BYTES)
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder; name an image file") from None
    except NotRegularError:
        raise ImageError(f"{path} is a pipe or a device; name an image file") from None
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the path") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be opened ({error}); check the path and its permissions") from None
    if not head:
        raise ImageError(f"{path} is empty; copy it again from its source")
    kind = kind_of_bytes(head)
    if kind in READ_KINDS:
        return kind
    # The DICOM reader reports what is wrong with a file of this suffix.
    if path.suffix.lower() in DICOM_SUFFIXES:
        return "DICOM"
    found = f" (it is {kind})" if kind else ""
    raise ImageError(f"{path} is not a PNG, JPEG, TIFF or DICOM image{found}; convert it to one")


def kind_of_bytes(head: bytes) -> str:
    """The kind of image that starts with these bytes, also one that is not read; empty for other files."""
    if head[128:132] == b"DICM":
        return "DICOM"
    for mark, kind in _SIGNATURES:
        if head.startswith(mark):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    return "DICOM" if encoding_of(head) is not None else ""
