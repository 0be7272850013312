"""Which images are of one patient: by their file names, by a DICOM element, or by a table."""

import csv
import io
import posixpath
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from dentasam.data.images.kind import kind_of
from dentasam.data.record import ImageRecord
from dentasam.data.spelling import canonical, portable
from dentasam.data.table import as_written
from dentasam.errors import DatasetError

# The patient's id by the image's id, for all of the images. The path is that of the dataset, which errors name.
PatientsOf = Callable[[Path, Sequence[ImageRecord]], dict[int, str]]

NAMED_GROUP = "patient"
NAME_COLUMNS, PATIENT_COLUMN = ("file_name", "image"), "patient"
SEPARATORS = (",", ";", "\t")
HEXADECIMAL_TAG = re.compile(r"\(?(?:0x)?([0-9a-f]{4}),?\s?([0-9a-f]{4})\)?", re.IGNORECASE)


def patient_source(
    pattern: str | None = None, tag: str | None = None, table: str | Path | None = None
) -> PatientsOf | None:
    """How patients are known: one of `by_pattern`, `by_tag` and `by_table`, or None where nothing is given."""
    given = [each for each in (pattern, tag, table) if each is not None]
    if len(given) > 1:
        raise DatasetError(
            "--patient-pattern, --patient-tag and --patient-csv are three ways to tell patients apart; give one"
        )
    if pattern is not None:
        return by_pattern(pattern)
    if tag is not None:
        return by_tag(tag)
    return None if table is None else by_table(Path(table))


def groups_of(images: Sequence[ImageRecord], patients: dict[int, str] | None = None) -> list[list[int]]:
    """The places of the images that must stay together: those of a patient, and those with the same file.

    patients: the patient by the image's id. Groups and their images are in the order of `images`.
    """
    leader = list(range(len(images)))

    def first(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    seen: dict[object, int] = {}
    for place, image in enumerate(images):
        for key in (image.path, patients[image.id]) if patients is not None else (image.path,):
            both = sorted((first(seen.setdefault(key, place)), first(place)))
            leader[both[1]] = both[0]
    groups: dict[int, list[int]] = {}
    for place in range(len(images)):
        groups.setdefault(first(place), []).append(place)
    return list(groups.values())


def by_pattern(pattern: str) -> PatientsOf:
    """The patient is the group `patient` of a regular expression, or its first, found in the image's file name.

    The name is the image's path inside the folder `images`. Raises DatasetError for a pattern that is malformed or
    without a group; the function raises it for the first name in which the pattern finds no patient.
    """
    shown = f"--patient-pattern {pattern!r:.60}"
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise DatasetError(f"{shown} is not a regular expression ({error}); correct it") from None
    if not compiled.groups:
        raise DatasetError(f"{shown} has no group; put the part that is the patient's id in parentheses")
    group = NAMED_GROUP if NAMED_GROUP in compiled.groupindex else 1

    def patients(path: Path, images: Sequence[ImageRecord]) -> dict[int, str]:
        found: dict[int, str] = {}
        for image in images:
            name = _inner(image.file_name)
            match = compiled.search(name)
            id = match[group] if match else None
            if not id:
                raise DatasetError(
                    f"{path}: image {image.id}: {shown} finds no patient in {name!r:.100}; correct the pattern, "
                    "or use --patient-csv"
                )
            found[image.id] = id
        return found

    return patients


def by_tag(tag: str) -> PatientsOf:
    """The patient is the value of a DICOM element, named by its keyword or as ggggeeee in hexadecimal digits.

    Raises DatasetError for an unknown keyword; the function raises it for the first image that is not DICOM or does
    not have the element, ImageError for a file that cannot be read.
    """
    from pydicom.datadict import tag_for_keyword

    hexadecimal = HEXADECIMAL_TAG.fullmatch(tag.strip())
    number = int(hexadecimal[1] + hexadecimal[2], 16) if hexadecimal else tag_for_keyword(tag.strip())
    if number is None:
        raise DatasetError(
            f"--patient-tag {tag!r:.40} is neither a DICOM keyword nor eight hexadecimal digits; write it like "
            "PatientID or 00100020"
        )

    def patients(path: Path, images: Sequence[ImageRecord]) -> dict[int, str]:
        from dentasam.data.images.dicom.read import dicom_text

        found: dict[int, str] = {}
        for image in images:
            if kind_of(image.path) != "DICOM":
                raise DatasetError(
                    f"{image.path} is not DICOM and has no --patient-tag; use --patient-pattern or --patient-csv"
                )
            id = dicom_text(image.path, number)
            if not id:
                raise DatasetError(
                    f"{image.path} has no value for the DICOM element {tag:.40}; name another element, or use "
                    "--patient-pattern or --patient-csv"
                )
            found[image.id] = id
        return found

    return patients


def by_table(table: Path) -> PatientsOf:
    """The patient is in a CSV file with the columns `file_name` (or `image`) and `patient`, in UTF-8.

    A name is the image's path as in the dataset, with or without the leading `images/`. Columns are separated by
    commas, semicolons or tabs; others are passed over. Raises DatasetError for a file that is not such a table; the
    function raises it where images are missing in it.
    """
    listed = _read_table(table)

    def patients(path: Path, images: Sequence[ImageRecord]) -> dict[int, str]:
        missing = [image for image in images if _key(image.file_name) not in listed]
        if missing:
            first, others = missing[0].file_name, len(missing) - 1
            named = f"{first!r:.100}" + (f" and {others} more image{'s' * (others > 1)}" if others else "")
            raise DatasetError(f"{table} does not list {named} of {path}; add {'them' if others else 'it'}")
        return {image.id: listed[_key(image.file_name)] for image in images}

    return patients


def _read_table(table: Path) -> dict[str, str]:
    """The patient by the name of the image, in its canonical form."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    except OSError as error:
        raise DatasetError(f"{table} cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{table} is not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise DatasetError(f"{table} is not a CSV table ({error}); save it as CSV UTF-8") from None
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    name_column = next((header.index(name) for name in NAME_COLUMNS if name in header), None)
    if name_column is None or PATIENT_COLUMN not in header:
        raise DatasetError(f"{table} has no columns file_name and patient in its first line; name them so")
    patient_column = header.index(PATIENT_COLUMN)
    listed: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        name, patient = (
            as_written(row[column]).strip() if column < len(row) else "" for column in (name_column, patient_column)
        )
        if not name or not patient:
            raise DatasetError(f"{table}: row {number} has no {'patient' if name else 'file name'}; complete it")
        if listed.setdefault(_key(name), patient) != patient:
            raise DatasetError(f"{table}: row {number}: {name!r:.100} has another patient above; delete one row")
    return listed


def _separator(text: str) -> str:
    """The separator that the first line has most of."""
    header = text.partition("\n")[0]
    return max(SEPARATORS, key=header.count)


def _inner(name: str) -> str:
    """The image's path inside the folder `images`, with `/` between folders."""
    return posixpath.normpath(portable(name)).removeprefix("images/")


def _key(name: str) -> str:
    return canonical(_inner(name))
