"""Unseen characters of names are shown, and can be read back where a table is."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dentasam.visible_text import escaped, printable, unescaped, visible, without_unseen


def test_controls_and_direction_marks_are_shown() -> None:
    for code in (*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, 0x2028, 0x2029):
        assert visible(f"a{chr(code)}b") == f"a\\u{code:04x}b"
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xD800, 0xDFFF):
        assert visible(chr(code)) == f"\\u{code:04x}"


def test_characters_of_no_width_are_shown() -> None:
    unseen = (0xAD, 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180E, 0x200B, *range(0x2060, 0x2065))
    for code in (*unseen, 0x206A, 0x3164, 0xFE00, 0xFE0E, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9):
        assert visible(f"11{chr(code)}") == f"11\\u{code:04x}"
    for code in (0x1D173, 0xE0001, 0xE0041, 0xE007F, 0xE0100, 0xE01EF, 0xE0FFF):
        assert visible(f"11{chr(code)}") == f"11\\U{code:08x}"
    assert visible("🦷\ufe0f\ufe0f") == "🦷\ufe0f\\ufe0f"


def test_a_printable_text_is_one_line() -> None:
    assert printable("x\r/ok: no errors\nforged\t36\u200b") == r"x\r/ok: no errors\nforged\t36\u200b"


def test_a_text_without_unseen_characters_keeps_the_joiners() -> None:
    assert without_unseen("می\u200cخواهم 👩\u200d⚕️") == "می\u200cخواهم 👩\u200d⚕️"
    assert without_unseen("1\u200b1\u115f\ufe0f\n\U000e0041\ud800") == "11"


def test_letters_of_all_languages_stay() -> None:
    for text in (
        "Zähne",
        "العربية",
        "می\u200cخواهم",
        "歯",
        "👩\u200d⚕️",
        "1️⃣",
        "葛\U000e0100城",
        "☎︎",
        "a\tb\nc\r",
        r"C:\\u202e",
        "\u00a0",
    ):
        assert visible(text) == text


@given(st.text(alphabet="\\\\uU202e9b0\u202e\x9b\ud800\u200b\ufe0f🦷\U000e0041", max_size=20))
def test_an_escaped_text_is_seen_and_read_back(text: str) -> None:
    assert visible(escaped(text)) == escaped(text)
    assert unescaped(escaped(text)) == text


def test_a_written_code_is_read_back() -> None:
    for text in (r"\U000e0041", "\U000e0041", r"\U0010ffff", r"\U000fffff1", r"a\\b\n", "\\\U000e0041", r"\\u200b"):
        assert unescaped(escaped(text)) == text


def test_the_page_shows_the_same_characters() -> None:
    source = Path(__file__).parents[1] / "web" / "src" / "ui" / "labels" / "visible_text.ts"
    patterns = re.findall(r"^(?:  |const \w+ = )/(.+)/gu?;$", source.read_text("utf-8"), re.MULTILINE)
    of_page = [
        re.compile(re.sub(r"\\u\{(\w+)\}", lambda code: f"\\U{int(code[1], 16):08x}", each)) for each in patterns
    ]
    assert len(of_page) == 4

    def shown_by_page(text: str) -> bool:
        return any(found.lastindex is None or not found[1] for each in of_page for found in each.finditer(text))

    # No text that the page receives has halves of surrogate pairs.
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for before in ("a", "🦷", "歯"):
        # Beside letters of two bytes, which nothing looks at, the test would be long.
        texts = [before + letter for letter in letters[: 0x10000 if before == "a" else 0]]
        texts += [before + letter for letter in (*letters[0xF600:0xF800], *letters[0xDF800:0xE0800])]
        assert [text for text in texts if shown_by_page(text) != (visible(text) != text)] == []
    for before in letters[:0x20000]:
        text = before + "\ufe0f"
        if visible(before) == before:
            assert shown_by_page(text) == (visible(text) != text), text
