"""YAML whose depth, nodes, numbers and tags are bounded, and in which no key is there twice.

PyYAML builds whatever a text of a few hundred bytes unfolds to by anchors and aliases, recurses as deep as the text
is nested, and lets errors of its constructors through, as for the date 2026-13-45. A loader that is derived from
`DocumentLoader` or `TextLoader` counts while it composes, and every error has its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dentasam.documents.error import DocumentError
from dentasam.documents.shown import cut, printable
from dentasam.documents.text import SETTINGS_BYTES, read_text

MAX_DEPTH = 50
MAX_DIGITS = 100
# Values of a file of settings. PyYAML takes some 15 microseconds for each.
MAX_NODES = 100_000
# Values that all aliases of a text may repeat together.
MAX_REPEATED = 100_000
# Names that a text gives to values, to repeat them by.
MAX_ANCHORS = 1000
_PREFIX = "tag:yaml.org,2002:"
_NUMBERS = (f"{_PREFIX}int", f"{_PREFIX}float")
_OF_CONSTRUCTORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
_TAGS = {f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")} | {"!"}


class _Bounded:
    """Mixed into a loader of PyYAML before its own classes.

    max_nodes: how many values a text may have. any_tag: whether tags are not looked at. keys_are_texts: whether a key
    is the same however it is quoted.
    """

    max_nodes = MAX_NODES
    any_tag = False
    keys_are_texts = False

    def __init__(self, text: str) -> None:
        self._depth = self._nodes = self._repeated = self._anchors = 0
        self._sizes: dict[str, int] = {}
        super().__init__(text)  # type: ignore[call-arg]

    def compose_node(self: Any, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self._anchors += 1
            if self._anchors > MAX_ANCHORS:
                raise _error(f"more than {MAX_ANCHORS:,} anchors", event)
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)  # type: ignore[misc]
            if event.anchor not in self._sizes:
                raise _error(f"the alias *{event.anchor} stands inside what it repeats", event)
            self._repeated += self._sizes[event.anchor]
            if self._repeated > MAX_REPEATED:
                raise _error(f"the aliases repeat more than {MAX_REPEATED:,} values", event)
            return node
        if event.tag is not None and not self.any_tag and event.tag not in _TAGS:
            raise _error(f"the tag {event.tag.replace(_PREFIX, '!!')} is not supported", event)
        if self._depth >= MAX_DEPTH:
            raise _error(f"nested more than {MAX_DEPTH} levels deep", event)
        before = self._nodes + self._repeated
        self._nodes += 1
        if self._nodes > self.max_nodes:
            raise _error(f"more than {self.max_nodes:,} values", event)
        self._depth += 1
        node = super().compose_node(parent, index)  # type: ignore[misc]
        self._depth -= 1
        if event.anchor is not None:
            self._sizes[event.anchor] = self._nodes + self._repeated - before
        return node

    def compose_mapping_node(self: Any, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)  # type: ignore[misc]
        seen: set[tuple[str | None, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("a key is a list or a mapping, not a name", key)
            if key.tag == f"{_PREFIX}merge":
                continue
            name = (None if self.keys_are_texts else key.tag, key.value)
            if name in seen:
                raise _Repeated(None, None, cut(printable(key.value)), key.start_mark)
            seen.add(name)
        return node

    def construct_object(self: Any, node: Any, deep: bool = False) -> Any:
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise _error(f"a number with {len(node.value)} digits", node)
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except _OF_CONSTRUCTORS:
            kind = str(node.tag).replace(_PREFIX, "!!")
            raise _error(f"{cut(repr(node.value))} is not a value of the type {kind}", node) from None


class DocumentLoader(_Bounded, yaml.SafeLoader):
    """Reads null, bool, int, float, text, lists and mappings as YAML 1.1 does; dates are texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - declared like this by PyYAML
        first: [(tag, pattern) for tag, pattern in found if tag != f"{_PREFIX}timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class TextLoader(_Bounded, yaml.BaseLoader):
    """Reads every value as text."""

    any_tag = True


class _Repeated(yaml.constructor.ConstructorError):
    """Its problem is the key."""


def read_yaml(path: Path, loader: type[_Bounded] = DocumentLoader, limit: int = SETTINGS_BYTES) -> Any:
    """The content of a YAML file of at most `limit` bytes; None where it is empty. Raises OSError, DocumentError."""
    return parse_yaml(read_text(path, limit), loader)


def parse_yaml(text: str, loader: type[_Bounded] = DocumentLoader) -> Any:
    """The content of a YAML text with one document, None for an empty one. Raises DocumentError."""
    made: Any = None
    try:
        made = loader(text)
        return made.get_single_data()
    except _Repeated as error:
        raise DocumentError(f"{error.problem!r} is there twice", *_place(error), key=error.problem) from None
    except yaml.MarkedYAMLError as error:
        reason = cut(printable(error.problem or error.context or "not YAML"), 120)
        raise DocumentError(reason, *_place(error)) from None
    except yaml.reader.ReaderError as error:
        raise DocumentError.at(
            f"the character #x{error.character:04x} is not allowed", text, error.position
        ) from None
    except RecursionError:
        raise DocumentError(f"nested more than {MAX_DEPTH} levels deep") from None
    except (yaml.YAMLError, *_OF_CONSTRUCTORS) as error:
        # Among others the scanner's own, for a code point such as "\UFFFFFFFF".
        raise DocumentError(cut(printable(str(error)), 120)) from None
    finally:
        if made is not None:
            made.dispose()


def _place(error: yaml.MarkedYAMLError) -> tuple[int | None, int | None]:
    mark = error.problem_mark or error.context_mark
    return (None, None) if mark is None else (mark.line + 1, mark.column + 1)


def _error(problem: str, at: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, at.start_mark)
