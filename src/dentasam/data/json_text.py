"""The text of JSON files in the encodings that tools write."""

from __future__ import annotations

import codecs
from pathlib import Path

from dentasam.data.links import check_no_link_out
from dentasam.regular_file import open_regular


def json_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark, which Windows tools write.

    Raises OSError where it cannot be read, UnicodeError (a ValueError) where it is not such text, DatasetError where
    it is a link out of the source that is being imported.
    """
    check_no_link_out(path)
    with open_regular(path) as file:
        return decoded(file.read())


def decoded(data: bytes, errors: str = "strict") -> str:
    """Bytes of a file as text, in the encoding that their byte order mark says; UTF-8 without one."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig", errors)
