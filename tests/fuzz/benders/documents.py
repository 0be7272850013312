"""JSON and YAML whose values are exchanged for ones that a parser or its user may not expect."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import yaml

from .raw import bend_bytes

# Stands for a value while the document is written as text, and is then replaced by text that need not be valid.
MARK = "@bent@"


def nested(opening: str, inside: str, closing: str, depth: int) -> str:
    return opening * depth + inside + closing * depth


def bomb(levels: int, width: int) -> str:
    """Anchors in anchors: a few hundred bytes that stand for width ** levels values."""
    text = '&a0 ["lol"]'
    for level in range(levels):
        text = f"&a{level + 1} [{text}{f', *a{level}' * (width - 1)}]"
    return text


VALUES = (
    "null", "true", "false", "0", "-0", "1", "-1", "1.5", "-1e-320", "2147483648", "-9223372036854775809",
    "18446744073709551616", "1e308", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1" + "0" * 400, "9" * 5000,
    '""', '" "', '"' + "x" * 20_000 + '"', '"a\\u0000b"', '"\\ud800"', '"\\u202e\\u0085\\u009b31m\\u007f"',
    '"\\u001b[31m"', '"line\\nline"', '"../../../../etc/passwd"', '"/etc/passwd"', '"=cmd|\' /C calc\'!A1"', '"nan"',
    '"1e400"', '"٣٤"', "[]", "{}", "[[]]", "[null]", '[{}]', '{"": 0}', '{"a": {"a": {"a": 1}}}', "[0, 0]",
    "[1, 2, 3]", "[-1, -1, -1, -1]", "[1e400, 0, 1, 1]", "[" + "0," * 5000 + "0]", "[" + "[]," * 5000 + "[]]",
    nested("[", "", "]", 60), nested("[", "", "]", 900), nested("[", "", "]", 100_000),
    nested('{"a":', "1", "}", 900), nested('{"a":', "1", "}", 50_000),
)  # fmt: skip
YAML_VALUES = (
    "~", ".inf", "-.inf", ".nan", "2024-02-30", "2024-13-45", "0001-01-01", "9999-12-31T23:59:60Z",
    "2001-12-14t21:59:43.10-99:00", "0x" + "f" * 4000, "0b" + "1" * 20_000, "0o17", "017", "1_000", "1:99:99:99",
    "190:20:30" * 1, "1:" * 400 + "1", "!!int x", "!!int '9e9'", "!!float x", "!!float 1:2:x", "!!bool maybe",
    "!!null x", "!!timestamp x", "!!timestamp 2024-99-99", "!!binary '###'", "!!binary é", "!!set {a, b}",
    "!!omap [a]", "!!pairs [a]", "!!str {a: b}", "!!map [a]", "!!seq {a: b}", "!unknown x", "!<tag:x,2000:y> z",
    "!!python/object/apply:os.system ['true']", "!!python/name:os.system", "&a [*a, *a]", "&a {k: *a}", "*missing",
    "&x", "{<<: [*missing]}", "{<<: 3}", "{<<: {a: 1}, a: 2}", "{? [a] : b}", "{? {a: b} : c}", "{a: 1, a: 2}",
    "[a, b", "{a: b", "'open", '"open', "- a\n- b", "|\n  x", "@x", "`x", "%x", "\tx", "x: y: z", "--- a\n--- b",
    "=", "<<", "yes", "on", bomb(6, 6), bomb(9, 9), bomb(30, 2),
    nested("[", "", "]", 400), nested("- ", "x", "", 300), nested("{a: ", "1", "}", 400), nested("[", "", "", 3000),
)  # fmt: skip
NAMES = ("", "x" * 5000, "\x00", "\x1b[31m", "\u202e", "é" * 40, "__class__", "../a", "a.b", "1", "null", "\ud83d")


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a document; of long lists those of the first and last items."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += _places(item, (*path, key))
    elif isinstance(value, list):
        for index in sorted({*range(min(4, len(value))), len(value) - 1} - {-1}):
            found += _places(value[index], (*path, index))
    return found


def _parent(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _replace(rng: Random, document: Any, path: tuple[Any, ...], values: tuple[str, ...]) -> tuple[Any, str, str]:
    _parent(document, path)[path[-1]] = MARK
    value = rng.choice(values)
    return document, value, f"{_shown(path)} = {value[:60]}"


def _drop(rng: Random, document: Any, path: tuple[Any, ...], values: tuple[str, ...]) -> tuple[Any, str, str]:
    del _parent(document, path)[path[-1]]
    return document, "", f"{_shown(path)} removed"


def _rename(rng: Random, document: Any, path: tuple[Any, ...], values: tuple[str, ...]) -> tuple[Any, str, str]:
    parent = _parent(document, path)
    if not isinstance(parent, dict):
        return _drop(rng, document, path, values)
    name = rng.choice(NAMES)
    parent[name] = parent.pop(path[-1])
    return document, "", f"{_shown(path)} renamed to {name[:20]!r}"


def _repeat(rng: Random, document: Any, path: tuple[Any, ...], values: tuple[str, ...]) -> tuple[Any, str, str]:
    parent, times = _parent(document, path), rng.choice((2, 3, 300))
    value = parent[path[-1]]
    parent[path[-1]] = [_copy(value) for _ in range(times)] if not isinstance(value, list) else value * times
    return document, "", f"{_shown(path)} repeated {times} times"


def _exchange(rng: Random, document: Any, path: tuple[Any, ...], values: tuple[str, ...]) -> tuple[Any, str, str]:
    other = rng.choice(_places(document))
    if other[: len(path)] == path or path[: len(other)] == other:
        return _drop(rng, document, path, values)
    first, second = _parent(document, path), _parent(document, other)
    first[path[-1]], second[other[-1]] = second[other[-1]], first[path[-1]]
    return document, "", f"{_shown(path)} and {_shown(other)} exchanged"


def _double_key(rng: Random, document: Any, path: tuple[Any, ...], values: tuple[str, ...]) -> tuple[Any, str, str]:
    parent = _parent(document, path)
    if not isinstance(parent, dict):
        return _replace(rng, document, path, values)
    parent[path[-1]] = MARK
    return document, f'1, "{path[-1]}": 2', f"{_shown(path)} given twice"


WAYS: tuple[Callable[..., tuple[Any, str, str]], ...] = (
    *(_replace,) * 8,
    _drop,
    _drop,
    _rename,
    _repeat,
    _exchange,
    _double_key,
)


def _shown(path: tuple[Any, ...]) -> str:
    return ".".join(str(part)[:30] for part in path)


def _text(document: Any, as_yaml: bool, flow: bool) -> str:
    if as_yaml:
        return yaml.safe_dump(document, default_flow_style=True if flow else None, sort_keys=False, width=1 << 30)
    return json.dumps(document)


def _bend_text(rng: Random, text: str, values: tuple[str, ...]) -> tuple[bytes, str]:
    """The whole document in another encoding, replaced, or opened with something unexpected."""
    way = rng.randrange(7)
    if way == 0:
        code = rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le"))
        return text.encode(code), f"encoded as {code}"
    if way == 1:
        return text.encode() + "é".encode("latin-1"), "latin-1 at the end"
    if way == 2:
        value = rng.choice(values)
        return value.encode("utf-8", "surrogatepass"), f"nothing but {value[:60]}"
    if way == 3:
        return b"%YAML 9.9\n---\n" + text.encode(), "%YAML 9.9"
    if way == 4:
        return text.encode() + b"\n---\n" + text.encode(), "two documents"
    if way == 5:
        return b"", "empty"
    return bend_bytes(rng, text.encode())


def bend_document(rng: Random, document: Any, as_yaml: bool = False) -> tuple[bytes, str]:
    """A document of JSON values with one to three of its values, keys or bytes changed, and how."""
    values = VALUES + YAML_VALUES * 2 if as_yaml else VALUES
    if rng.random() < 0.2:
        return _bend_text(rng, _text(document, as_yaml, flow=False), values)
    hows = []
    document = _copy(document)
    flow = rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(document)
        if not places:
            break
        document, fragment, how = rng.choice(WAYS)(rng, document, rng.choice(places), values)
        hows.append(how)
        text = _text(document, as_yaml, flow)
        if MARK in text:
            # Not valid any more, perhaps: no further change can read it.
            quoted = f'"{MARK}"' if f'"{MARK}"' in text else f"'{MARK}'" if f"'{MARK}'" in text else MARK
            return text.replace(quoted, fragment, 1).encode("utf-8", "surrogatepass"), ", ".join(hows)
    return _text(document, as_yaml, flow).encode("utf-8", "surrogatepass"), ", ".join(hows)
