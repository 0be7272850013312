"""Unpacking an archive whose author is not known, into a folder and nowhere else.

A member's name decides only where in the folder its content lies. Names that lead out of it, links and devices are
passed over. The limits count the bytes that are written, not those that the archive states. Each file is written
beside its place and moved there when it is whole, so that a second call continues where the first one ended.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dentasam.data.formats.sources.member_names import inner_path, is_clutter
from dentasam.data.formats.sources.members import AGAIN, BY_HAND, Member, kind_of, members_of, reading
from dentasam.data.spelling import canonical
from dentasam.errors import DatasetError, OutputError
from dentasam.files.atomic_write import DRAFT_SUFFIX, NO_FOLLOW, write_atomically

_CHUNK = 1 << 18
# What the file system says about a name that it cannot take.
_NAME_ERRORS = {
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTEMPTY,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that an archive may hold: members, bytes in all and in one file, and times its own size.

    A large set of radiographs has 100,000 files and 100 GB. Masks may shrink to a hundredth, and bombs to a
    thousandth and less; the ratio counts from `free_bytes` on.
    """

    members: int = 1_000_000
    total_bytes: int = 200 * 10**9
    file_bytes: int = 20 * 10**9
    ratio: int = 200
    free_bytes: int = 10**9


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its content: ZIP, tar, or a kind that `unpack` refuses by its name, such as 7z.

    A single compressed file, such as `.nii.gz`, is not one.
    """
    return kind_of(path) is not None


def unpack(
    archive: Path,
    into: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    report: Callable[[str], None] = lambda line: None,
    limits: Limits = Limits(),
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Unpacks a ZIP, tar, tar.gz, tar.bz2 or tar.xz; returns `into`, or the folder in it that holds all files.

    into: is made where it is missing. Files in it that are whole, by size and in a ZIP by checksum, are not written
    again. progress: takes the bytes of the archive that are done, roughly, and all. report: takes a line about each
    kind of member that was passed over. check: called before each member and each part of one, and may end the
    unpacking by what it raises. What macOS and Windows add, such as `__MACOSX`, is left out without one.

    Raises DatasetError, naming the archive and the member, for what is damaged, cut off, encrypted or above the
    limits, and OutputError where `into` cannot be written. Files that were unpacked before stay for a second call.
    """
    run = _Unpacking(archive, into, limits, check)
    size = run.archive_bytes
    for count, member in enumerate(members_of(archive), 1):
        if count > limits.members:
            raise DatasetError(f"{archive} has more than {limits.members} members; {BY_HAND}")
        run.take(member)
        progress(min(member.done, size), size)
    progress(size, size)
    for what, number in run.passed_over.items():
        report(f"{archive}: passed over {what} ({number}), such as {run.examples[what]!r:.80}")
    if not run.taken:
        raise DatasetError(f"{archive} holds no file; choose another archive")
    tops = {path.parts[0] for path in run.taken}
    (top,) = tops if len(tops) == 1 else ("",)
    return into / top if (into / top).is_dir() else into


class _Unpacking:
    """One run: what is unpacked, what was passed over, and how many bytes there are."""

    def __init__(self, archive: Path, into: Path, limits: Limits, check: Callable[[], None]) -> None:
        self.archive, self.into, self.limits, self._checked = archive, into, limits, check
        self.taken: set[PurePosixPath] = set()
        self._first_alike: dict[str, PurePosixPath] = {}
        self.passed_over: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self._written = 0
        self._folders: set[Path] = set()
        with reading(archive):
            self.archive_bytes = archive.stat().st_size
        try:
            into.mkdir(parents=True, exist_ok=True)
            _remove_drafts(into)
        except OSError as error:
            raise OutputError(f"{into} cannot be written ({error.strerror}); choose another folder") from None
        self._root = into.resolve()

    def take(self, member: Member) -> None:
        """Unpacks one member, or counts it as passed over. Raises as `unpack`."""
        self._checked()
        inner = inner_path(member.name)
        if member.what == "folder" or (inner is not None and is_clutter(inner)):
            return
        if inner is None:
            self._pass_over("unsafe names", member)
        elif member.what != "file":
            self._pass_over(f"{member.what}s", member)
        elif self._is_taken(inner):
            self._pass_over("names that another member has", member)
        else:
            self._unpack(member, inner)

    def _pass_over(self, what: str, member: Member) -> None:
        self.passed_over[what] += 1
        self.examples.setdefault(what, member.name)
        # To get to the next member its bytes are decompressed all the same.
        self._check_size(member, member.size)

    def _is_taken(self, inner: PurePosixPath) -> bool:
        """Whether a member before it has its name, or one that the file system does not tell from it."""
        if inner in self.taken:
            return True
        first, path = self._first_alike.setdefault(_alike(inner), inner), self.into / inner
        if first != inner and path.exists() and path.samefile(self.into / first):
            return True
        self.taken.add(inner)
        return False

    def _unpack(self, member: Member, inner: PurePosixPath) -> None:
        target = self.into / inner
        try:
            self._make_folder(target.parent, member)
            whole = _is_whole(target, member)
            if whole:
                self._count(member, member.size)
            else:
                self._write(member, target)
        except OSError as error:
            if error.errno in _NAME_ERRORS:
                raise self._error(member, f"cannot have this name here ({error.strerror})", BY_HAND) from None
            raise OutputError(f"{target} cannot be written ({error.strerror}); choose another folder") from None

    def _make_folder(self, folder: Path, member: Member) -> None:
        if folder in self._folders:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(self._root):
            raise self._error(member, "would lie outside the folder, through a link in it", "choose an empty folder")
        self._folders.add(folder)

    def _write(self, member: Member, target: Path) -> None:
        chunks = self._chunks(member)
        if member.size < _CHUNK:
            # Read before a file is made for it: of a part that a killed call wrote the size tells that it is one.
            content = b"".join(chunks)
            if _is_made(target, content):
                return
            chunks = iter([content])
        with write_atomically(target) as draft, draft.open("wb") as file:
            file.writelines(chunks)

    def _chunks(self, member: Member) -> Iterator[bytes]:
        """The content of a member, counted. Raises DatasetError where it is not as long as the archive states."""
        size = 0
        with reading(self.archive, member.name):
            content = member.open()
        with content:
            while True:
                self._checked()
                with reading(self.archive, member.name):
                    chunk = content.read(_CHUNK)
                if not chunk:
                    break
                size += len(chunk)
                self._check_size(member, size)
                if size > member.size:
                    break
                self._count(member, len(chunk))
                yield chunk
        if size != member.size:
            raise self._error(member, "is damaged or cut off", AGAIN)

    def _check_size(self, member: Member, size: int) -> None:
        if size > self.limits.file_bytes:
            raise self._error(member, f"is larger than {self.limits.file_bytes} bytes", BY_HAND)

    def _count(self, member: Member, size: int) -> None:
        self._written += size
        limits = self.limits
        if self._written > limits.total_bytes:
            raise self._error(member, f"brings the files above {limits.total_bytes} bytes", BY_HAND)
        if self._written > max(limits.free_bytes, limits.ratio * self.archive_bytes):
            what = f"brings the files above {limits.ratio} times the archive's size"
            raise self._error(member, what, "check where it is from, or " + BY_HAND)

    def _error(self, member: Member, what: str, how: str) -> DatasetError:
        return DatasetError(f"{self.archive}: {member.name!r:.80} {what}; {how}")


def _alike(inner: PurePosixPath) -> str:
    """What the names have in common that some file system takes for one."""
    return canonical(canonical(str(inner)).casefold())


def _is_whole(path: Path, member: Member) -> bool:
    """Whether an earlier call has unpacked the member."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(there.st_mode) or there.st_size != member.size:
        return False
    if member.crc is None:
        return True
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == member.crc


def _is_made(path: Path, content: bytes) -> bool:
    """Makes a file at once, without a draft, which takes most of the time of small ones; False where it is there.

    Raises OSError, and leaves no part of the file.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | getattr(os, "O_BINARY", 0), 0o666)
    except FileExistsError:
        return False
    try:
        with open(made, "wb", buffering=0) as file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _remove_drafts(folder: Path) -> None:
    """Removes what a killed call was writing."""
    for path, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(DRAFT_SUFFIX):
                os.unlink(os.path.join(path, name))
