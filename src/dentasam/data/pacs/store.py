"""DICOM files to a PACS (STOW-RS), and what the server says about each of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from dentasam.data.pacs.connection import ANSWER_SECONDS, connect
from dentasam.data.pacs.multipart import MultipartFiles
from dentasam.data.pacs.results import first_value, items
from dentasam.data.pacs.status import RequestRefused
from dentasam.data.pacs.uids import is_uid
from dentasam.errors import ImageError, PacsError

STORED, FAILED, REFERENCED, REASON, WARNING = 0x00081199, 0x00081198, 0x00081155, 0x00081197, 0x00081196
UIDS = ("SOPInstanceUID", "StudyInstanceUID")
# One request carries files of one study, up to these.
BATCH_FILES, BATCH_BYTES = 50, 256_000_000

# PS3.18 I.2.2 and PS3.4 B.2.3, by the first code of each range.
_REASONS = (
    (0xC122, 0xC122, "the transfer syntax is not supported"),
    (0xC000, 0xCFFF, "the server cannot understand it"),
    (0xA900, 0xA9FF, "it does not match its SOP class"),
    (0xA700, 0xA7FF, "the server has no room"),
    (0x0122, 0x0122, "the SOP class is not supported"),
    (0x0124, 0x0124, "not authorised"),
    (0x0111, 0x0111, "an instance with this UID is there already"),
    (0x0110, 0x0110, "the server failed to process it"),
)


@dataclass(frozen=True)
class Refused:
    """A file that the server did not confirm, and why."""

    path: Path
    uid: str
    reason: str


@dataclass(frozen=True)
class StoreReport:
    """stored: the files that the server confirmed. warnings: a line for each that it stored with a remark."""

    stored: tuple[Path, ...] = ()
    refused: tuple[Refused, ...] = ()
    warnings: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises PacsError where a file was refused; the caller shows `refused` before."""
        if self.refused:
            count = len(self.refused)
            raise PacsError(
                f"{count} of {count + len(self.stored)} files were not stored; the first: {self.refused[0].path} "
                f"({self.refused[0].reason}); correct that and send them again"
            )


@dataclass(frozen=True)
class _File:
    path: Path
    uid: str
    study: str
    size: int


def store_files(
    url: str,
    paths: Sequence[str | Path],
    *,
    insecure_http: bool = False,
    answer_seconds: float = ANSWER_SECONDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> StoreReport:
    """Sends DICOM files as they are, a study at a time, and returns what the server confirmed and refused.

    progress: takes the number of files done and of all. Every file is looked at before the first is sent: raises
    ImageError for one that is not DICOM, PacsError for a UID that repeats. Also raises PacsError where the server
    cannot be used at all; once a file is stored, those that cannot be sent any more are listed as refused.
    """
    files = _files([Path(path) for path in paths])
    connection = connect(url, insecure_http=insecure_http, answer_seconds=answer_seconds)
    waiting = list(_batches(files))
    reports: list[StoreReport] = []
    while waiting:
        batch = waiting.pop(0)
        try:
            reports.append(_outcome(batch, connection.store(MultipartFiles([file.path for file in batch]))))
        except RequestRefused as error:
            if len(batch) > 1:
                # One file may be the reason; the others are stored without it.
                waiting = [[file] for file in batch] + waiting
                continue
            reports.append(_none_stored(batch, error))
        except PacsError as error:
            if not any(report.stored for report in reports):
                raise
            reports.append(_none_stored([*batch, *(file for later in waiting for file in later)], error))
            waiting = []
        progress(sum(len(report.stored) + len(report.refused) for report in reports), len(files))
    return StoreReport(
        tuple(path for report in reports for path in report.stored),
        tuple(refused for report in reports for refused in report.refused),
        tuple(line for report in reports for line in report.warnings),
    )


def _none_stored(files: Sequence[_File], error: PacsError) -> StoreReport:
    return StoreReport(refused=tuple(Refused(file.path, file.uid, str(error)) for file in files))


def _outcome(batch: Sequence[_File], answer: Any) -> StoreReport:
    """What an answer says about each file of a batch: nothing counts as stored that it does not name."""
    # Some servers wrap the one result in a list.
    result = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
    confirmed = {str(first_value(item, REFERENCED)): item for item in items(result, STORED)}
    failed = {str(first_value(item, REFERENCED)): item for item in items(result, FAILED)}
    stored: list[Path] = []
    refused: list[Refused] = []
    warnings: list[str] = []
    for file in batch:
        if file.uid in failed:
            refused.append(Refused(file.path, file.uid, _reason(first_value(failed[file.uid], REASON))))
        elif file.uid not in confirmed:
            refused.append(Refused(file.path, file.uid, "the server does not confirm that it is stored"))
        else:
            stored.append(file.path)
            warning = first_value(confirmed[file.uid], WARNING)
            if isinstance(warning, int):
                warnings.append(f"{file.path} is stored, and the server changed or doubts it (warning {warning:04X})")
    return StoreReport(tuple(stored), tuple(refused), tuple(warnings))


def _reason(code: Any) -> str:
    if not isinstance(code, int):
        return "the server gives no reason"
    text = next((text for first, last, text in _REASONS if first <= code <= last), "")
    return f"{text}, code {code:04X}" if text else f"code {code:04X}"


def _files(paths: Sequence[Path]) -> list[_File]:
    files: list[_File] = []
    taken: dict[str, Path] = {}
    for path in paths:
        uid, study = _uids(path)
        if not is_uid(uid) or not is_uid(study):
            raise ImageError(f"{path} has no valid SOPInstanceUID and StudyInstanceUID; write it again")
        if uid in taken:
            raise PacsError(f"{path} has the SOPInstanceUID of {taken[uid]}; leave one of them out")
        taken[uid] = path
        files.append(_File(path, uid, study, path.stat().st_size))
    return files


def _uids(path: Path) -> tuple[str, str]:
    """The SOP instance UID and the study's, empty where one is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, specific_tags=list(UIDS), stop_before_pixels=True)
            uid, study = (str(header.get(keyword, "")) for keyword in UIDS)
            return uid, study
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from None
    except Exception:
        # Not DICOM, or damaged: pydicom raises almost any exception for the latter.
        raise ImageError(f"{path} is not a DICOM file; only DICOM can be stored in a PACS") from None


def _batches(files: Sequence[_File]) -> Iterator[list[_File]]:
    """The files in groups of one study each, of at most BATCH_FILES and BATCH_BYTES, but at least one file."""
    batch: list[_File] = []
    for file in sorted(files, key=lambda file: file.study):
        full = len(batch) == BATCH_FILES or sum(each.size for each in batch) + file.size > BATCH_BYTES
        if batch and (batch[0].study != file.study or full):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
