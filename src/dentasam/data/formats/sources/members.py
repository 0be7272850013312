"""The members of ZIP and tar archives, one after the other, as both are unpacked alike.

Archives are read by the standard library. Nothing is unpacked by it: only the bytes of regular files leave this file,
so that neither names nor links nor access rights of an archive can do anything.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

from dentasam.data.formats.sources.member_names import tar_name, zip_name
from dentasam.errors import DatasetError

AGAIN = "copy or download it again"
BY_HAND = "unpack it yourself and name the folder"
# Long names and attributes of a tar's member are read at once; a path has 4,096 bytes at most.
MAX_TAR_HEADER = 1 << 20
# A tar ends with two empty blocks, and writers fill up to 20 blocks or more.
_MAX_PADDING = 1 << 20
_ENCRYPTED = 0x1
_DAMAGES = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError)


class ArchiveKind(StrEnum):
    zip = "ZIP"
    tar = "tar"
    tar_gz = "tar.gz"
    tar_bz2 = "tar.bz2"
    tar_xz = "tar.xz"
    seven_zip = "7z"
    rar = "RAR"
    zstd = "Zstandard"


_SIGNATURES = {
    b"PK\x03\x04": ArchiveKind.zip,
    b"PK\x05\x06": ArchiveKind.zip,
    b"\x1f\x8b": ArchiveKind.tar_gz,
    b"BZh": ArchiveKind.tar_bz2,
    b"\xfd7zXZ\x00": ArchiveKind.tar_xz,
    b"7z\xbc\xaf\x27\x1c": ArchiveKind.seven_zip,
    b"Rar!\x1a\x07": ArchiveKind.rar,
    b"\x28\xb5\x2f\xfd": ArchiveKind.zstd,
}
_DECOMPRESSED: dict[ArchiveKind, Callable[[BinaryIO], IO[bytes]]] = {
    ArchiveKind.tar: lambda raw: raw,
    ArchiveKind.tar_gz: lambda raw: cast(IO[bytes], gzip.GzipFile(fileobj=raw)),
    ArchiveKind.tar_bz2: bz2.BZ2File,
    ArchiveKind.tar_xz: lzma.LZMAFile,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name as the archive has it, the size in bytes that the archive states, and how to read it.

    what: `file`, `folder`, `link` or `device`; only a file can be opened. crc: CRC-32 of its content, where the
    archive states it. done: bytes of the archive up to this member's end, roughly.
    """

    name: str
    what: str
    size: int
    crc: int | None
    done: int
    open: Callable[[], IO[bytes]]


def kind_of(path: Path) -> ArchiveKind | None:
    """What kind of archive a file is, by its content; None for anything else, as a single compressed file."""
    try:
        with path.open("rb") as raw:
            head = raw.read(tarfile.BLOCKSIZE)
            kind = next((kind for start, kind in _SIGNATURES.items() if head.startswith(start)), ArchiveKind.tar)
            if kind in _DECOMPRESSED:
                raw.seek(0)
                tarfile.TarInfo.frombuf(_DECOMPRESSED[kind](raw).read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
            return kind
    except (*_DAMAGES, OSError):
        return None


def members_of(path: Path) -> Iterator[Member]:
    """The members of an archive in its order; each is opened before the next one is asked for.

    Raises DatasetError for a file that is not an archive, or not of a kind that is read, and for a damaged one.
    """
    kind = kind_of(path)
    if kind is ArchiveKind.zip:
        return _zip_members(path)
    if kind in _DECOMPRESSED:
        return _tar_members(path, kind)
    if kind is None:
        raise DatasetError(f"{path} is not a ZIP or tar archive, or is damaged; {AGAIN}")
    raise DatasetError(f"{path} is a {kind} archive, which is not read; {BY_HAND}")


@contextmanager
def reading(path: Path, member: str | None = None) -> Iterator[None]:
    """Turns what the standard library raises about an archive into a DatasetError that names it and the member."""
    where = str(path) if member is None else f"{path}: {member!r:.80}"
    try:
        yield
    except NotImplementedError:
        raise DatasetError(f"{where} is compressed by a method that is not read; {BY_HAND}") from None
    except (*_DAMAGES, RuntimeError):
        raise DatasetError(f"{where} is damaged or cut off; {AGAIN}") from None
    except OSError as error:
        # The standard library raises it without a number for damage that it finds itself.
        reason = f"cannot be read ({error.strerror})" if error.errno else "is damaged or cut off"
        raise DatasetError(f"{where} {reason}; {AGAIN}") from None


def _zip_members(path: Path) -> Iterator[Member]:
    with reading(path):
        archive = zipfile.ZipFile(path)
    with archive:
        done = 0
        for info in archive.infolist():
            with reading(path):
                name = zip_name(info)
            if info.flag_bits & _ENCRYPTED:
                raise DatasetError(f"{path}: {name!r:.80} is encrypted; {BY_HAND}")
            done += info.compress_size
            mode = info.external_attr >> 16
            what = "link" if stat.S_ISLNK(mode) else "folder" if name.endswith(("/", "\\")) else "file"
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                what = "device"
            yield Member(name, what, info.file_size, info.CRC, done, partial(archive.open, info))


def _tar_members(path: Path, kind: ArchiveKind) -> Iterator[Member]:
    with path.open("rb") as raw:
        with reading(path):
            stream = _TarStream(_DECOMPRESSED[kind](raw))
            archive = tarfile.open(  # noqa: SIM115 - it has nothing to close but the streams
                fileobj=cast(BinaryIO, stream), mode="r:", encoding="utf-8", errors="surrogateescape"
            )
        name = None
        while True:
            with reading(path, name):
                info = archive.next()
            # It would keep all members of an archive that may have a million.
            archive.members.clear()  # type: ignore[attr-defined]
            if info is None:
                break
            name = tar_name(info.name)
            links = info.issym() or info.islnk()
            what = "link" if links else "folder" if info.isdir() else "file" if info.isreg() else "device"
            yield Member(name, what, info.size, None, raw.tell(), partial(_opened, archive, info))
        with reading(path, name):
            stream.check_end()


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError("not a file")
    return content


class _TarStream(io.RawIOBase):
    """The bytes of a tar. It refuses to read large headers, and knows whether the archive ended as it should.

    `tarfile` ends without an error at a member's header that is damaged or cut off.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_TAR_HEADER:
            raise tarfile.ReadError("a header is too large")
        self._last = self._stream.read(size)
        return self._last

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def check_end(self) -> None:
        """Raises ReadError unless the block read last is empty, and reads the padding, whose checksum may follow."""
        if len(self._last) != tarfile.BLOCKSIZE or any(self._last):
            raise tarfile.ReadError("unexpected end of data")
        self._stream.read(_MAX_PADDING)
