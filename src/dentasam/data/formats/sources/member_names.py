"""The names of an archive's members: their encodings, which of them stay inside the folder, and which are clutter."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import PurePosixPath
from zipfile import ZipInfo

from dentasam.data.spelling import portable

# What macOS and Windows add to folders.
_CLUTTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
_DRIVE = re.compile("[A-Za-z]:")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def inner_path(name: str) -> PurePosixPath | None:
    """A member's path inside the folder; None for a name that leads out of it or that no file should have.

    That is an absolute path, one with a drive letter or `..`, an empty one, and one with control characters. A
    backslash stands between folders, as some programs for Windows write it.
    """
    plain = portable(name)
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if not parts or plain.startswith("/") or _DRIVE.match(plain) or ".." in parts or _CONTROL.search(plain):
        return None
    return PurePosixPath(*parts)


def is_clutter(path: PurePosixPath) -> bool:
    """Whether a member is what macOS or Windows adds to a folder on its own: `__MACOSX`, `.DS_Store`, `._name`."""
    return not _CLUTTER.isdisjoint(path.parts) or path.name.startswith("._")


def zip_name(info: ZipInfo) -> str:
    """The name of a ZIP's member. Where it is not marked as UTF-8, it may be so all the same, and is CP437 else."""
    if info.flag_bits & _UTF8_FLAG:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437")
    stated = _stated_name(info.extra, raw)
    if stated is not None:
        return stated
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return info.orig_filename


def tar_name(name: str) -> str:
    """The name of a tar's member, which was decoded as UTF-8 with `surrogateescape`; Latin-1 if it is not UTF-8."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _stated_name(extra: bytes, raw: bytes) -> str | None:
    """The name in the field for Unicode paths (APPNOTE 4.6.9), if it belongs to this name."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) > 5 and field[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return field[5:].decode("utf-8", "replace")
    return None
