"""One file from its source to its place in the output: read, blanked, written as a draft, checked, delivered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from dentasam.data.deidentify.dicom import write_deidentified
from dentasam.data.deidentify.identifiers import Identifiers
from dentasam.data.deidentify.keyed_map import KeyedMap
from dentasam.data.deidentify.ocr import FindText
from dentasam.data.deidentify.raster import deidentified_raster
from dentasam.data.deidentify.regions import Blanking, Box, with_boxes
from dentasam.data.deidentify.report import Touch
from dentasam.data.deidentify.search import held_value
from dentasam.data.images.kind import kind_of
from dentasam.data.images.read import read_image
from dentasam.data.notices import collected_notices
from dentasam.errors import DentasamError, ImageError, OutputError
from dentasam.files.atomic_write import write_atomically

SUFFIXES = (".dcm", ".png", ".jpg")


@dataclass(frozen=True)
class Delivered:
    """name: the file's path inside the output."""

    name: str
    touched: list[Touch]
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Delivery:
    """What all files of a run share. blank_text: whether text that `find_text` finds is blanked or only reported."""

    out: Path
    keyed: KeyedMap
    blanking: Blanking
    find_text: FindText | None = None
    blank_text: bool = False

    def deliver(self, path: Path, name: str, target: PurePosixPath) -> Delivered:
        """Writes the de-identified copy of a file to `out / target` with the suffix of its kind.

        name: the file's path inside the source. Raises ImageError where the file cannot be read or a check fails, and
        OutputError where the copy cannot be written; then nothing is written.
        """
        kind = kind_of(path)
        with collected_notices():
            # What cannot be read as a radiograph could not be compared with its copy either.
            before = read_image(path)
        texts = self.find_text(before) if self.find_text else []
        region = self.blanking.region(path, *before.shape)
        region = with_boxes(region, texts if self.blank_text else [], *before.shape)
        suffix = ".dcm" if kind == "DICOM" else ".jpg" if kind == "JPEG" and region is None else ".png"
        inner = target.with_name(target.name + suffix)
        final = self.out / inner
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(final) as draft:
                touched, warnings = self._written(path, name, kind, draft, region)
                _compare(path, draft, before if region is None else None)
        except OSError as error:
            raise OutputError(f"{final} cannot be written ({error.strerror}); choose another --out") from None
        remove_delivered(self.out, target, except_for=suffix)
        if texts and not self.blank_text:
            warnings.append(f"{path} has text in its picture at {_places(texts)}; --ocr blank, or --blank")
            touched += [Touch("", "text", "", "found and left", f"{x},{y},{w},{h}") for x, y, w, h in texts]
        return Delivered(inner.as_posix(), touched, warnings)

    def _written(
        self, path: Path, name: str, kind: str, draft: Path, region: np.ndarray | None
    ) -> tuple[list[Touch], list[str]]:
        """Writes and searches the draft; returns what was touched, and warnings."""
        if kind != "DICOM":
            copied = deidentified_raster(path, kind, region)
            draft.write_bytes(copied.content)
            identifiers = Identifiers()
            identifiers.add_path(name)
            _refuse_held(path, held_value(copied.content, copied.content, identifiers, set()))
            return copied.touched, []
        try:
            written = write_deidentified(path, draft, name, self.keyed, region)
        except (DentasamError, OSError):
            raise
        except Exception as error:
            # A crafted header makes pydicom raise almost any exception.
            reason = " ".join(str(error).split())[:80] or type(error).__name__
            raise ImageError(f"{path} cannot be written again ({reason}); export it again") from None
        held = held_value(draft.read_bytes(), written.pixel_bytes, written.identifiers, written.made)
        _refuse_held(path, held)
        if not written.says_burned_in:
            return written.touched, []
        says = f"{path} says that text is in its picture (BurnedInAnnotation YES), and nothing was blanked"
        return written.touched, [f"{says}; --blank, --mask or --ocr blank"]


def _refuse_held(path: Path, held: str | None) -> None:
    if held is not None:
        raise ImageError(f"{path} would still hold the value of {held}; remove it at the source, it is not delivered")


def _compare(path: Path, draft: Path, before: np.ndarray | None) -> None:
    """Raises ImageError where the draft cannot be read, or shows another picture than before."""
    with collected_notices():
        after = read_image(draft)
    if before is not None and not (before.dtype == after.dtype and np.array_equal(before, after)):
        raise ImageError(f"{path} would show another picture after it is written again; export it uncompressed")


def _places(boxes: list[Box]) -> str:
    return "; ".join(f"{x},{y},{w},{h}" for x, y, w, h in boxes)


def remove_delivered(out: Path, target: PurePosixPath, except_for: str = "") -> None:
    """Removes what an earlier run delivered for a file, and its folder where that is empty then."""
    for suffix in SUFFIXES:
        if suffix != except_for:
            (out / target.with_name(target.name + suffix)).unlink(missing_ok=True)
    for folder in target.parents[:-1]:
        with suppress(OSError):
            (out / folder).rmdir()
