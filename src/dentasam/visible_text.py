"""Characters of a name that nobody sees: shown as what they are wherever a person reads the name.

A file, a category or a tag may be named by a stranger. Control characters steer a terminal, direction marks show a
name in another order than it has (`photo_gpj.exe` as `photo_exe.jpg`), line separators break a line in two, and with
characters of no width two names look alike. Where such a name is shown, these become `\\uXXXX`, or `\\UXXXXXXXX` for
those beyond U+FFFF.
"""

from __future__ import annotations

import re

# Of Persian and of emoji: without a width, and needed.
JOINERS = "\u200c\u200d"
# What steers a line: C0 controls but tab, line feed and carriage return; DEL and the C1 controls; marks, embeddings,
# overrides and isolates of the writing direction; line and paragraph separator.
_STEERING = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
# What has no width: Unicode's default ignorable code points, marks of annotations among them, but the joiners U+200C
# and U+200D, which Persian and emoji need, and the variation selectors, which depend on the letter before them.
NO_WIDTH = (
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    r"\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# And halves of surrogate pairs, which no UTF-8 has.
UNSEEN = rf"{_STEERING}{NO_WIDTH}\ud800-\udfff"
# Variation selectors choose the form of an emoji or an ideograph before them; behind any other letter, or another
# selector, nobody sees them. A digit is an emoji only before U+20E3, a key's frame.
_OF_EMOJI = r"\xa9\xae\u203c-\u3299\U0001f000-\U0001faff"
_OF_IDEOGRAPHS = r"\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SELECTORS = (
    rf"(?<![{_OF_EMOJI}])[\ufe0e\ufe0f](?!\u20e3)"
    rf"|(?<![{_OF_IDEOGRAPHS}])[\ufe00-\ufe0d\U000e0100-\U000e01ef]"
)
_SEEN_AS_CODE = rf"[{UNSEEN}]|{_SELECTORS}"
_UNSEEN = re.compile(_SEEN_AS_CODE)
# With the backslashes before it; and what looks like an escaped character already.
_CODE = r"u[0-9a-f]{4}|U000[0-9a-f]{5}"
_TO_ESCAPE = re.compile(rf"(\\*)({_SEEN_AS_CODE})|(\\+)(?={_CODE})")
_LINE_BREAKS = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ESCAPED = re.compile(rf"(\\+)({_CODE})?")


def visible(text: str) -> str:
    """The text with unseen characters as `\\uXXXX`; tabs and line breaks stay. For people's eyes."""
    return _UNSEEN.sub(lambda found: _code(found[0]), text)


def printable(text: str) -> str:
    """As `visible`, in one line: tabs and line breaks are escaped as well."""
    return visible(text).translate(_LINE_BREAKS)


def without_unseen(text: str) -> str:
    """The text without the characters that `visible` shows as codes, and without controls and line breaks."""
    return "".join(letter for letter in _UNSEEN.sub("", text) if letter.isprintable() or letter in JOINERS)


def escaped(text: str) -> str:
    """As `visible`, and what looks like an escaped character is told apart, so that `unescaped` gives the text."""
    return _TO_ESCAPE.sub(_escape, text)


def unescaped(text: str) -> str:
    """The text before `escaped`."""
    return _ESCAPED.sub(_unescape, text)


def _code(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _escape(found: re.Match[str]) -> str:
    if found[3] is not None:
        return 2 * found[3]
    return f"{2 * found[1]}{_code(found[2])}"


def _unescape(found: re.Match[str]) -> str:
    if found[2] is None:
        return found[0]
    backslashes, odd = divmod(len(found[1]), 2)
    code = int(found[2][1:], 16)
    return "\\" * backslashes + (chr(code) if odd and code < 0x110000 else found[2])
