"""Bent documents: JSON and YAML as a careless tool, a damaged disk or a stranger writes them.

A bender takes a sound document and a random generator, and gives the bytes of a bent one. `bent_texts` bends the
text, whatever it says; `bent_values` puts a value where another was; both are the same for the same seed.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Bender = Callable[[str, random.Random], bytes]

# A value of JSON as it is written, for which Python has none.
RAW = "raw:"
VALUES: tuple[Any, ...] = (
    *(f"{RAW}{10**400}", f"{RAW}-{10**400}", f"{RAW}{'9' * 5000}", f"{RAW}1e400", f"{RAW}-1e400"),
    *(f"{RAW}NaN", f"{RAW}Infinity", f"{RAW}-Infinity", 1e308, -1e308, 5e-324, -0.0),
    *(True, False, None, 0, -1, 0.5, 2**31, 2**53, 2**63, -(2**63), 2**64, 10**40),
    *(
        "",
        " ",
        "x" * 100_000,
        "\ud800",
        "a\0b",
        "\u202egnp.exe",
        "\x1b[31mred",
        "line\nbreak",
        "../../etc/passwd",
        "nan",
    ),
    *("2026-13-45", "!!python/object", "=cmd|' /C calc'!A0", "1e400", "9" * 5000),
    *(
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": None},
        {"x" * 5000: 1},
        [1] * 5000,
        [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]],
    ),
)


def bent_texts() -> dict[str, Bender]:
    """Benders of any text, by name."""
    return {
        "empty": lambda text, chance: b"",
        "blank": lambda text, chance: b" \n\n",
        "mark alone": lambda text, chance: b"\xef\xbb\xbf",
        "cut": lambda text, chance: text.encode()[: chance.randrange(1, max(2, len(text)))],
        "a flipped bit": _flipped,
        "bytes at random": lambda text, chance: chance.randbytes(300),
        "NUL": lambda text, chance: _with(text, "\0", chance),
        "control character": lambda text, chance: _with(text, "\x1b[2J", chance),
        "tab": lambda text, chance: b"\t" + text.encode(),
        "tabs as indents": lambda text, chance: text.replace("  ", "\t").encode(),
        "Latin-1": lambda text, chance: text.encode() + "é".encode("latin-1"),
        "surrogate in UTF-8": lambda text, chance: text.encode() + b"\xed\xa0\x80",
        "UTF-16": lambda text, chance: text.encode("utf-16"),
        "UTF-16 cut": lambda text, chance: text.encode("utf-16")[:-1],
        "UTF-16 without a mark": lambda text, chance: text.encode("utf-16-le"),
        "UTF-32": lambda text, chance: text.encode("utf-32"),
        "twice": lambda text, chance: (text + text).encode(),
        "two documents": lambda text, chance: f"---\n{text}\n---\n{text}".encode(),
        "deep lists": lambda text, chance: b"[" * 100_000,
        "deep closed lists": lambda text, chance: b"[" * 900 + b"]" * 900,
        "deep mappings": lambda text, chance: b'{"a":' * 20_000,
        "deep dashes": lambda text, chance: b"- " * 5000,
        "deep keys": lambda text, chance: b"? " * 5000,
        "laughs": lambda text, chance: laughs(),
        "laughs in merges": lambda text, chance: laughs("{{<<: [{}]}}"),
        "itself": lambda text, chance: b"a: &a [*a]",
        "merge of itself": lambda text, chance: b"a: &a {<<: *a}",
        "unknown alias": lambda text, chance: b"a: *" + b"x" * 5000,
        "a date that is none": lambda text, chance: b"a: 2026-13-45\nlabels: 2026-02-30",
        "long digits": lambda text, chance: b"a: " + b"1" * 5000,
        "long hexadecimal": lambda text, chance: b"a: 0x" + b"f" * 5000,
        "sixties": lambda text, chance: b"a: 1" + b":59" * 20_000,
        "long float": lambda text, chance: b"a: " + b"1" * 100_000 + b"x",
        "tag of Python": lambda text, chance: b"!!python/object/apply:os.system [echo]",
        "tag of a set": lambda text, chance: b"!!set {a, b}",
        "tag of bytes": lambda text, chance: b"a: !!binary aGVsbG8=",
        "tag of an ordered map": lambda text, chance: b"a: !!omap [b: 1]",
        "tag that does not fit": lambda text, chance: b"a: !!int abc\nb: !!bool maybe\nc: !!float ''",
        "unhashable key": lambda text, chance: b"? [a, b]\n: c",
        "key twice": lambda text, chance: b'{"a": 1, "a": 2}',
        "code point too large": lambda text, chance: b'a: "\\UFFFFFFFF"',
        "lone surrogate": lambda text, chance: b'{"\\ud800": "\\udfff"}',
        "version": lambda text, chance: b"%YAML 9.9\n---\n" + text.encode(),
        "unclosed": lambda text, chance: b"'" + b"x" * 100_000,
        "number alone": lambda text, chance: b"3",
        "text alone": lambda text, chance: b'"abc"',
        "null alone": lambda text, chance: b"null",
        "list alone": lambda text, chance: b"[[1], {}]",
    }


def bent_values(content: Any, seed: int, count: int) -> Iterator[bytes]:
    """JSON texts of a sound document, each with one value that is another one, gone, or there twice."""
    chance = random.Random(seed)
    for _ in range(count):
        bent = copy.deepcopy(content)
        holder, key = chance.choice(list(places(bent)))
        way = chance.random()
        if way < 0.1:
            del holder[key]
        elif way < 0.15 and isinstance(holder, dict):
            holder["unknown"] = chance.choice(VALUES)
        elif way < 0.2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        yield written(bent)


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Each list and mapping of a document with each of its positions and keys."""
    for key in list(content) if isinstance(content, dict) else range(len(content)):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from places(content[key])


def written(content: Any) -> bytes:
    """JSON, with values that begin with RAW as they stand."""
    pieces = json.dumps(content).split(f'"{RAW}')
    return "".join([pieces[0], *(piece.replace('"', "", 1) for piece in pieces[1:])]).encode()


def laughs(pattern: str = "[{}]") -> bytes:
    """YAML of a few hundred bytes that unfolds to 10 ** 9 values."""
    lines = ["a: &a {x: 1}"]
    lines += [f"{key}: &{key} " + pattern.format(",".join([f"*{chr(ord(key) - 1)}"] * 10)) for key in "bcdefghij"]
    return "\n".join(lines).encode()


def _flipped(text: str, chance: random.Random) -> bytes:
    data = bytearray(text.encode() or b"x")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _with(text: str, piece: str, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return (text[:at] + piece + text[at:]).encode()
