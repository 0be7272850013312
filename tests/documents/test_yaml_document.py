"""YAML that is bounded: what it refuses with the place, and what it reads as before."""

from pathlib import Path
from typing import Any

import pytest

from dentasam.documents import yaml_document
from dentasam.documents.error import DocumentError
from dentasam.documents.yaml_document import MAX_DEPTH, TextLoader, parse_yaml, read_yaml

from .bent import laughs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (laughs().decode(), "the aliases repeat more than 100,000 values in line"),
        (laughs("{{<<: [{}]}}").decode(), "the aliases repeat more than 100,000 values in line"),
        ("a: 1\nb: &b [*b]", "the alias *b stands inside what it repeats in line 2, column 8"),
        ("[" * (MAX_DEPTH + 1), "nested more than 50 levels deep in line 1, column 51"),
        ("a:\n  b: " + "1" * 101, "a number with 101 digits in line 2, column 6"),
        ("a: 0x" + "f" * 101, "a number with 103 digits in line 1, column 4"),
        ("a: 1\nb: 2\na: 3", "'a' is there twice in line 3, column 1"),
        ("a: !!set {b}", "the tag !!set is not supported in line 1, column 4"),
        ("!!python/name:os.system", "the tag !!python/name:os.system is not supported in line 1, column 1"),
        ("a: !!int abc", "'abc' is not a value of the type !!int in line 1, column 4"),
        ("? [a]\n: b", "a key is a list or a mapping, not a name in line 1, column 3"),
        ("a: b\n  \x00", "the character #x0000 is not allowed in line 2, column 3"),
        ("a\n---\nb", "but found another document in line 2, column 1"),
        ('a: "\\UFFFFFFFF"', "Python int too large"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_yaml(text)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", None),
        ("a: 2026-13-45", {"a": "2026-13-45"}),
        ("a: 2026-01-02", {"a": "2026-01-02"}),
        ("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}", {"base": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3}}),
        ("a: &c '#56b4e9'\nb: *c", {"a": "#56b4e9", "b": "#56b4e9"}),
        ("a: [1, 2.5, yes, null, 017]", {"a": [1, 2.5, True, None, 15]}),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, ...),
        ("a: " + "1" * 100, {"a": int("1" * 100)}),
    ],
)
def test_what_is_read(text: str, content: Any) -> None:
    found = parse_yaml(text)
    assert content is ... or found == content


def test_values_and_repeated_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "MAX_REPEATED", 6)
    assert parse_yaml("a: &a [1, 1]\nb: [*a, *a]") == {"a": [1, 1], "b": [[1, 1], [1, 1]]}
    with pytest.raises(DocumentError, match="repeat more than 6 values in line 2, column 13"):
        parse_yaml("a: &a [1, 1]\nb: [*a, *a, *a]")
    monkeypatch.setattr(yaml_document._Bounded, "max_nodes", 4)
    assert parse_yaml("[1, 2, 3]") == [1, 2, 3]
    with pytest.raises(DocumentError, match="more than 4 values in line 1, column 11"):
        parse_yaml("[1, 2, 3, 4]")


def test_anchors_are_counted_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "MAX_ANCHORS", 2)
    assert parse_yaml("a: &a 1\nb: &b 2\nc: [*a, *b, *a]") == {"a": 1, "b": 2, "c": [1, 2, 1]}
    with pytest.raises(DocumentError, match="more than 2 anchors in line 3, column 4"):
        # What follows is not looked at.
        parse_yaml("a: &a 1\nb: &b 2\nc: &c 3\n]")
    with pytest.raises(DocumentError, match="more than 2 anchors"):
        parse_yaml("&a {&b x: &c [1]}")


def test_every_value_as_text() -> None:
    assert parse_yaml("names: {0: 018, 1: no}", TextLoader) == {"names": {"0": "018", "1": "no"}}
    with pytest.raises(DocumentError) as caught:
        parse_yaml("names: a\n'names': b", TextLoader)
    assert caught.value.key == "names"


def test_large_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    assert read_yaml(tmp_path / "a.yaml", limit=4) == {"a": 1}
    with pytest.raises(DocumentError, match="larger than"):
        read_yaml(tmp_path / "a.yaml", limit=3)
