"""One instance from a PACS to a file (WADO-RS), whole or not at all."""

import warnings
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from dentasam.data.images.read import read_header
from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.data.pacs.connection import Connection
from dentasam.data.pacs.multipart import DICOM, instance_bytes
from dentasam.data.pacs.results import Instance
from dentasam.errors import ImageError, OutputError, PacsError
from dentasam.files.atomic_write import write_atomically

# As the server stores it: transcoding would cost its time and could change the pixels.
ACCEPT = f'multipart/related; type="{DICOM}"; transfer-syntax=*'
# Four bytes for each pixel of the largest image that is read.
MAX_INSTANCE_BYTES = 4 * PIXEL_LIMIT


def fetch(connection: Connection, instance: Instance, path: Path, *, image: bool) -> None:
    """Writes an instance to a file, byte for byte as the server sends it.

    image: whether it has to be an image that is read. Raises PacsError where the server fails or sends something
    else, ImageError where the image cannot be read, OutputError where the file cannot be written. The file is then as
    it was.
    """
    try:
        with write_atomically(path, durable=True) as draft:
            with (
                connection.opened(instance.path, ACCEPT, MAX_INSTANCE_BYTES) as (content_type, chunks),
                draft.open("wb") as file,
            ):
                for chunk in instance_bytes(connection.base, content_type, chunks):
                    file.write(chunk)
            _check(draft, connection.base, instance.uid, image)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); make room, and go on with --resume"
        ) from None


def is_whole(path: Path, uid: str, *, image: bool) -> bool:
    """Whether a file holds this instance; for an image also, whether all of its pixels are there."""
    if not path.is_file():
        return False
    try:
        _check(path, "", uid, image)
    except (PacsError, ImageError, OSError):
        return False
    return True


def referenced_images(path: Path) -> set[str]:
    """The SOP instance UIDs that a DICOM SEG refers to; none where it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            elements = pydicom.dcmread(path, stop_before_pixels=True).iterall()
            return {str(element.value) for element in elements if element.keyword == "ReferencedSOPInstanceUID"}
    except Exception:
        # Sequences are parsed here, and a crafted one makes pydicom raise almost any exception.
        return set()


def _check(path: Path, base: str, uid: str, image: bool) -> None:
    sent = _uid(path, base)
    if sent != uid:
        raise PacsError(f"{base} sends {sent!r:.70} in its place; ask its administrator")
    if image:
        try:
            read_header(path)
        except ImageError as error:
            raise ImageError(str(error).replace(str(path), "the file")) from None


def _uid(path: Path, base: str) -> str:
    try:
        # pydicom warns of every odd value of a header; the message would go to stderr as the server wrote it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(pydicom.dcmread(path, stop_before_pixels=True).get("SOPInstanceUID", ""))
    except InvalidDicomError:
        raise PacsError(f"{base} sends something else than a DICOM file; ask its administrator") from None
    except OSError:
        raise
    except Exception as error:
        # A crafted or cut file makes pydicom raise almost any exception.
        raise PacsError(f"{base} sends damaged DICOM ({type(error).__name__}); ask its administrator") from None
