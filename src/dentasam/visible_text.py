"""Characters of a name that nobody sees: shown as what they are wherever a person reads the name.

A file, a category or a tag may be named by a stranger. Control characters steer a terminal, direction marks show a
name in another order than it has (`photo_gpj.exe` as `photo_exe.jpg`), and line separators break a line in two. Where
such a name is shown, these become `\\uXXXX`.
"""

from __future__ import annotations

import re

# C0 controls but tab, line feed and carriage return; DEL and the C1 controls; marks, embeddings, overrides and
# isolates of the writing direction; line and paragraph separator; halves of surrogate pairs, which no UTF-8 has.
UNSEEN = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSEEN = re.compile(f"[{UNSEEN}]")
# With the backslashes before it; and what looks like an escaped character already.
_TO_ESCAPE = re.compile(rf"(\\*)([{UNSEEN}])|(\\+)(?=u[0-9a-f]{{4}})")
_ESCAPED = re.compile(r"(\\+)(?:u([0-9a-f]{4}))")


def visible(text: str) -> str:
    """The text with unseen characters as `\\uXXXX`; tabs and line breaks stay. For people's eyes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def escaped(text: str) -> str:
    """As `visible`, and what looks like an escaped character is told apart, so that `unescaped` gives the text."""
    return _TO_ESCAPE.sub(_escape, text)


def unescaped(text: str) -> str:
    """The text before `escaped`."""
    return _ESCAPED.sub(_unescape, text)


def _escape(found: re.Match[str]) -> str:
    if found[3] is not None:
        return 2 * found[3]
    return f"{2 * found[1]}\\u{ord(found[2]):04x}"


def _unescape(found: re.Match[str]) -> str:
    backslashes, odd = divmod(len(found[1]), 2)
    return "\\" * backslashes + (chr(int(found[2], 16)) if odd else f"u{found[2]}")
