"""JSON that is bounded, and the encodings that are read."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import MAX_DEPTH, parse_json, read_dataset_json, read_json
from dentasam.documents.text import read_text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ('{"a": 1,\n "b"}', "Expecting ':' delimiter in line 2, column 5"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested more than 100 levels deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 levels deep"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        ("[1,\n" + "1" * 101 + "]", "a number with 101 digits in line 2, column 1"),
        ("9" * 5000, "a number with 5000 digits in line 1, column 1"),
        ("[1, 1e400]", "the number 1e400 is too large in line 1, column 5"),
        ("[-1e999]", "the number -1e999 is too large in line 1, column 2"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' is there twice"),
        ("[NaN]", "NaN is not a JSON number in line 1, column 2"),
        ('["\x01"]', "Invalid control character"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(text, unique=True, finite=True)
    assert str(caught.value).startswith(says)


def test_what_is_read() -> None:
    deep: Any = parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert isinstance(deep, list)
    assert parse_json('{"a": 1, "a": 2}') == {"a": 2}
    assert parse_json("1" * 100) == int("1" * 100)
    assert str(parse_json("[NaN]")) == "[nan]"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_text('{"ä": "日本"}', encoding=encoding)
    assert read_json(tmp_path / "a.json") == read_dataset_json(tmp_path / "a.json") == {"ä": "日本"}


@pytest.mark.parametrize("data", [b"\xff\xfe[\x00]", b"\xff\xfe\x00\x00[\x00", b'"\xed\xa0\x80"', b"\xe9"])
def test_what_is_no_text(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(DocumentError, match="not text in UTF-8"):
        read_json(tmp_path / "a.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes among files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(DocumentError, match="not a regular file"):
        read_json(tmp_path / "a.json")


def test_a_dataset_is_checked_for_its_depth_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": [10**400, float("inf")]}))
    assert read_dataset_json(path) == {"images": [10**400, float("inf")]}
    for text in ('{"a":' * 101 + "1" + "}" * 101, "[" * 100_000, "[" * 500 + "]" * 500):
        path.write_text(text)
        with pytest.raises(DocumentError, match="nested more than 100 levels deep"):
            read_dataset_json(path)
    path.write_text("9" * 5000)
    with pytest.raises(DocumentError, match="thousands of digits"):
        read_dataset_json(path)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="the system does not name pipes of the shell")
def test_a_pipe_that_the_shell_names(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"[" + b"1," * 5000 + b"1]")
    os.close(writing)
    try:
        assert read_json(Path(f"/dev/fd/{reading}")) == [1] * 5001
    finally:
        os.close(reading)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="the system does not name pipes of the shell")
@pytest.mark.parametrize(("size", "fits"), [(3 << 20, True), ((3 << 20) + 1, False)])
def test_a_long_pipe_is_read_up_to_its_limit(size: int, fits: bool) -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb") as file:
            file.write(b"x" * size)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        if fits:
            assert read_text(Path(f"/dev/fd/{reading}"), 3 << 20) == "x" * size
        else:
            with pytest.raises(DocumentError, match="larger than 3 MB"):
                read_text(Path(f"/dev/fd/{reading}"), 3 << 20)
    finally:
        os.close(reading)
        writer.join()


def test_the_place_of_a_number_is_not_that_of_equal_text() -> None:
    for text in ('{"NaN": "\\"NaN",\n "a NaN": [1, NaN]}', '{"a": "NaN\\\\",\n "c": [2, NaN]}'):
        with pytest.raises(DocumentError) as caught:
            parse_json(text, finite=True)
        lines = text.split("\n")
        assert caught.value.line == 2
        assert caught.value.column is not None
        assert lines[1][caught.value.column - 1 :].startswith("NaN]")
    with pytest.raises(DocumentError, match="too large in line 1, column 18"):
        parse_json('{"1e999": [-1.5, 1e999]}')


def test_limits_that_a_caller_sets() -> None:
    assert parse_json("[[1]]", depth=2, containers=2) == [[1]]
    with pytest.raises(DocumentError, match="nested more than 1 levels deep"):
        parse_json("[[1]]", depth=1)
    with pytest.raises(DocumentError, match="more than 1 lists and objects"):
        parse_json("[[1]]", containers=1)
    assert parse_json("[1e999, " + "1" * 200 + "]", numbers=False) == [float("inf"), int("1" * 200)]
    # What stands behind a number in a list is not passed over.
    with pytest.raises(DocumentError, match="nested more than 3 levels deep"):
        parse_json("[1, [[[1]]]]", depth=3, numbers=False)


@pytest.mark.parametrize("text", ['{"images": [1], "images": []}', '{"images": [{"id": 1, "tags": [], "id": 1}]}'])
def test_a_key_that_is_there_twice_is_refused_in_a_dataset_too(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(text)
    with pytest.raises(DocumentError, match=r"'(images|id)' is there twice"):
        read_dataset_json(path)
