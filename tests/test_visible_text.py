"""Unseen characters of names are shown, and can be read back where a table is."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dentasam.visible_text import UNSEEN, escaped, unescaped, visible


def test_controls_and_direction_marks_are_shown() -> None:
    for code in (*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, 0x2028, 0x2029):
        assert visible(f"a{chr(code)}b") == f"a\\u{code:04x}b"
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xD800, 0xDFFF):
        assert visible(chr(code)) == f"\\u{code:04x}"


def test_letters_of_all_languages_stay() -> None:
    for text in ("Zähne", "العربية", "می\u200cخواهم", "歯", "👩\u200d⚕️", "a\tb\nc\r", r"C:\\u202e", "\u00a0"):
        assert visible(text) == text


@given(st.text(alphabet="\\\\u202e9b0\u202e\x9b\ud800", max_size=20))
def test_an_escaped_text_is_seen_and_read_back(text: str) -> None:
    assert visible(escaped(text)) == escaped(text)
    assert unescaped(escaped(text)) == text


def test_the_page_shows_the_same_characters() -> None:
    source = Path(__file__).parents[1] / "web" / "src" / "ui" / "labels" / "visible_text.ts"
    (of_page,) = re.findall(r"^  /(\[.+\])/g;$", source.read_text("utf-8"), re.MULTILINE)
    # No text that the page receives has halves of surrogate pairs.
    here = {code for code in range(0x10000) if re.match(f"[{UNSEEN}]", chr(code)) and not 0xD800 <= code < 0xE000}
    assert {code for code in range(0x10000) if re.match(of_page, chr(code))} == here
