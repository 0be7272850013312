"""The text of documents in the encodings that tools write, of files that are not too large to be one."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dentasam.documents.error import DocumentError
from dentasam.documents.shown import shown
from dentasam.files.regular_file import NotRegularError, open_regular

# A file of settings, or what a folder says of itself.
SETTINGS_BYTES = 1 << 20
# A file of prompts, or the results of a run.
LIST_BYTES = 1 << 26
# A dataset.
DATASET_BYTES = 1 << 31
_BLOCK = 1 << 20
# The longer marks first: that of UTF-32 begins like that of UTF-16.
# Half of a surrogate pair, which JSON and YAML can escape and no encoding of a file can hold.
_HALF = re.compile("[\ud800-\udfff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, limit: int = SETTINGS_BYTES) -> str:
    """The text of a file of at most `limit` bytes in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises OSError where it cannot be read, DocumentError where it is larger, is not such text, or is not a file: a
    pipe would be waited for, unless it is one that the shell names, such as `/dev/stdin`.
    """
    try:
        opened = open_regular(path)
    except NotRegularError:
        raise DocumentError("not a regular file but a pipe, a socket or a device") from None
    with opened as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise DocumentError(f"larger than {_size(limit)}")
        blocks = [file.read(size + 1)]
        read = len(blocks[0])
        # A pipe, and a file that grows.
        while read <= limit and (more := file.read(_BLOCK)):
            blocks.append(more)
            read += len(more)
    if read > limit:
        raise DocumentError(f"larger than {_size(limit)}")
    data = b"".join(blocks)
    del blocks
    try:
        return decoded(data)
    except UnicodeError as error:
        raise DocumentError(f"not text in UTF-8 ({_reason(error)})") from None


def decoded(data: bytes, errors: str = "strict") -> str:
    """Bytes of a file as text, in the encoding that their byte order mark says; UTF-8 without one.

    Raises UnicodeError.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding, errors)


def _size(count: int) -> str:
    return f"{count >> 30} GB" if count >= 1 << 30 else f"{count >> 20} MB"


def _reason(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1}: {error.reason}"
    return str(error)


def half_letter(value: Any) -> str | None:
    """The first text of a document's value that no file can hold, as it has half of a surrogate pair (`\\ud800`).

    Lists and mappings are looked through, with their keys. None where all texts are whole.
    """
    if isinstance(value, str):
        # What is ASCII, as nearly all names are, is known without a search.
        return value if not value.isascii() and _HALF.search(value) else None
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    return next((found for item in value if (found := half_letter(item)) is not None), None)


def half_letter_line(half: str) -> str:
    """What is wrong with a text that `half_letter` found."""
    return f"{shown(half)} has half of a character (\\ud800 to \\udfff)"
