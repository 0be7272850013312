"""Names from outside as text in Markdown."""

from __future__ import annotations

import re

from dentasam.visible_text import printable

# What HTML begins with, and what templates of site generators do, which know no backslash.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "}": "&#125;"}
# Emphasis, code, links, images, tables, headings, strikethrough, mathematics; addresses and emoji (`:`).
_ACTS = re.compile(r"[&<>{}]|[\\`*_\[\]()!|~$#:@^=]|(?<=www)\.|^[-+](?=[-\s]|\Z)|(?<=^[0-9])[.)]", re.IGNORECASE)


def as_text(name: str) -> str:
    """The name as Markdown in one line that shows it, and nothing else: no link, picture, code or end of a cell.

    Characters that nobody sees are shown as `\\uXXXX`.
    """
    return _ACTS.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), printable(name))
