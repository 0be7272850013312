"""The last search: no original value may be left in the bytes of a file that is delivered."""

from __future__ import annotations

from dentasam.data.deidentify.identifiers import MIN_BYTES, Identifiers

_COVER = b"\x01"


def held_value(content: bytes, pixels: bytes, identifiers: Identifiers, made: set[str]) -> str | None:
    """The element whose original value a file's bytes still hold; None where they hold none.

    pixels: the part of them that is pixel data, in which a few bytes are any text by chance: only values of eight
    bytes and more count there. made: texts that were written anew, such as UIDs, in which a number may be by chance.
    """
    for text in sorted(made, key=len, reverse=True):
        # "0" stands for itself everywhere.
        if len(text) >= MIN_BYTES:
            content = content.replace(text.encode("utf-8", "surrogateescape"), _COVER * len(text))
    at = content.find(pixels) if pixels else -1
    if at < 0:
        return _named(identifiers.found_in_bytes(content))
    outside = content[:at] + _COVER + content[at + len(pixels) :]
    found = identifiers.found_in_bytes(outside)
    return _named(found if found is not None else identifiers.found_in_bytes(pixels, whole_words=False))


def _named(keyword: str | None) -> str | None:
    return "a private element" if keyword == "" else keyword
