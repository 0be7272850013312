"""The identifying values of one source file, and whether a text or the bytes of a file hold one of them.

Names are taken apart, dates are looked for as people write them, and every value in the encodings and spellings in
which another program may have repeated it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from dentasam.data.deidentify.dates import day_of, spellings

# Of a keyword: what it holds points to a person, a place or a single device or order.
_IDENTIFYING = re.compile(
    r"(?<!Protocol)(?<!Model)(?<!Code)Name|IDs?$|ID[A-Z]|Number|Address|Telephone|Telecom|Institution|Station|Physician"
    r"|Person|Operator|Location|Department|Insurance|Residence|Issuer|Identifier|Organization|Serial|Requester|AETitle|EntityTitle|URI|URL"
)
# Counters, which hold small numbers that many elements share.
_COUNTERS = re.compile(r"^(Series|Acquisition|Instance|Item|Temporal|Frame|Curve|Overlay|LUT|Image)\w*Number$")
# A longer text is not a coincidence where it is repeated whole.
LONG_TEXT = 16
# Shorter ones are everywhere in a file's bytes: those of letters count as whole words, those of digits not at all.
MIN_BYTES, ANYWHERE_BYTES, MIN_DIGITS = 4, 8, 6
MIN_WORD, MIN_CODED_WORD = 2, 5
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252", "shift_jis", "gb18030", "euc_kr")
_SINGLE_BYTE = (*(f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)), "cp437", "cp850", "mac_roman")


@dataclass
class Identifiers:
    """words: texts, casefolded, each with the element that it is from. raw: bytes as the source holds them."""

    words: dict[str, str] = field(default_factory=dict)
    raw: dict[bytes, str] = field(default_factory=dict)

    def add(self, keyword: str, vr: str, values: Iterable[str], raw: bytes = b"") -> None:
        """Takes an element's values where they identify; raw: its bytes in the source.

        keyword: empty for a private element, of which only names, dates and UIDs count.
        """
        values = [value.strip(" \0\r\n\t") for value in (*values, *readings(raw))]
        if vr == "PN":
            for value in values:
                for part in _parts_of_name(value):
                    self._add(part, keyword)
            for piece in re.split(rb"[\\^=]", raw):
                self._add_raw(piece.strip(b" \0"), keyword)
        elif vr in ("DA", "DT"):
            for day in filter(None, map(day_of, values)):
                for text in spellings(day):
                    self._add(text, keyword)
        elif vr == "UI" or (keyword and self._identifies(keyword, vr, values)):
            for value in values:
                self._add(value, keyword)
            for piece in raw.split(b"\\"):
                self._add_raw(piece.strip(b" \0"), keyword)

    def add_path(self, path: str) -> None:
        """Takes the words of a file's name and of its folders."""
        for word in re.split(r"[\W_]+", path):
            if len(word) >= MIN_BYTES and not word.isdigit():
                self._add(word, "the file's name")

    @staticmethod
    def _identifies(keyword: str, vr: str, values: list[str]) -> bool:
        if vr not in ("LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE"):
            return False
        if _IDENTIFYING.search(keyword) and not _COUNTERS.match(keyword):
            return True
        return any(len(value) >= LONG_TEXT for value in values)

    def _add(self, text: str, keyword: str) -> None:
        if len(text) >= MIN_WORD or text.isdigit():
            self.words.setdefault(unicodedata.normalize("NFC", text).casefold(), keyword)

    def _add_raw(self, piece: bytes, keyword: str) -> None:
        if len(piece) >= MIN_BYTES and not piece.isdigit():
            self.raw.setdefault(piece.lower(), keyword)

    def found_in_text(self, text: str, coded: bool = False) -> str | None:
        """The element whose value an element's text holds as words; None where it holds none.

        coded: for a code (CS), in which short words mean something else.
        """
        text = unicodedata.normalize("NFC", text).casefold()
        for word, keyword in self.words.items():
            if coded and len(word) < MIN_CODED_WORD:
                continue
            if word not in text:
                continue
            # A number of few digits may be part of a version.
            if word.isdigit() and len(word) < MIN_BYTES:
                if word == text.strip():
                    return keyword
            elif len(word) >= ANYWHERE_BYTES or re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text):
                return keyword
        return None

    def found_in_bytes(self, content: bytes, whole_words: bool = True) -> str | None:
        """The element whose value the bytes hold in any encoding; None where they hold none.

        whole_words: also values of 4 to 7 bytes, where neither letter nor digit is beside them.
        """
        content = content.lower()
        for needle, keyword in self._needles.items():
            if len(needle) >= ANYWHERE_BYTES:
                if needle in content:
                    return keyword
            elif (
                whole_words
                and needle in content
                and re.search(rb"(?<![0-9a-z.])" + re.escape(needle) + rb"(?![0-9a-z])", content)
            ):
                return keyword
        return None

    @cached_property
    def _needles(self) -> dict[bytes, str]:
        """Bytes to look for, letters of ASCII in lower case."""
        needles = dict(self.raw)
        for word, keyword in self.words.items():
            # A word of two or three characters of another script may still be long enough in bytes.
            if word.isascii() and len(word) < (MIN_DIGITS if word.isdigit() else MIN_BYTES):
                continue
            for variant in _variants(word):
                for encoded in _encoded(variant):
                    if len(encoded) >= MIN_BYTES:
                        needles.setdefault(encoded.lower(), keyword)
        return needles


def readings(raw: bytes) -> list[str]:
    """The values of a text as UTF-8 and Latin-1, whatever character set a header states; none for ASCII."""
    if raw.isascii():
        return []
    texts = [raw.decode("latin-1")]
    with suppress(UnicodeDecodeError):
        texts.append(raw.decode("utf-8"))
    return [value for text in texts for value in text.split("\\")]


def _parts_of_name(value: str) -> Iterator[str]:
    """Family, given and middle names of a PN value (PS3.5 6.2.1), whole and in words."""
    for group in value.split("="):
        for component in group.split("^")[:3]:
            if component.strip():
                yield component.strip()
                for word in re.split(r"[\s,;]+", component):
                    yield word.strip(".()\"'")
                    if "-" in word:
                        yield from (part for part in word.split("-") if len(part) >= 3)


def _variants(word: str) -> set[str]:
    """The word in lower and upper case, composed and decomposed, without accents, and with German umlauts as two."""
    bare = "".join(sign for sign in unicodedata.normalize("NFD", word) if not unicodedata.combining(sign))
    forms = {word, bare, word.translate(_GERMAN), unicodedata.normalize("NFD", word)}
    return forms | {form.upper() for form in forms}


def _encoded(text: str) -> Iterator[bytes]:
    if text.isascii():
        yield text.encode()
        yield text.encode("utf-16-le")
        yield text.encode("utf-16-be")
        return
    for encoding in _ENCODINGS + _SINGLE_BYTE:
        try:
            yield text.encode(encoding)
        except UnicodeEncodeError:
            continue
