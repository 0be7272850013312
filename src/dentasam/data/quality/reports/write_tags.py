"""Adding tags to the images of a COCO file; every other byte of the file stays as it is.

The file is not written anew from what was read of it, since other tools keep things in it that are not read here, and
people compare versions of it line by line. Only the ends of the lists of tags change.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.decoder import JSONDecodeError, JSONDecoder
from pathlib import Path

from dentasam.errors import DatasetError, OutputError
from dentasam.files.atomic_write import write_atomically

_SPACE = " \t\n\r"
_DECODER = JSONDecoder()


@dataclass(frozen=True)
class _Value:
    """A value in a JSON text, from `start` up to `stop`."""

    content: object
    start: int
    stop: int


def write_tags(path: Path, tags: Mapping[int, Sequence[str]]) -> dict[str, int]:
    """Adds tags to images by their ids, and returns how many images each tag was added to; none is ever removed.

    Tags that an image has are not added again, and a file in which nothing changes is not written. Raises
    DatasetError where the file is not COCO, OutputError where it cannot be written.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        edits = list(_edits(text, tags))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except (ValueError, IndexError, KeyError, RecursionError):
        raise DatasetError(f"{path}: is not a COCO dataset; export it as COCO instances") from None
    counts: dict[str, int] = {}
    pieces, place = [], 0
    for start, stop, added, new in edits:
        pieces += [text[place:start], new]
        place = stop
        for tag in added:
            counts[tag] = counts.get(tag, 0) + 1
    if edits:
        try:
            with write_atomically(path, durable=True) as draft:
                draft.write_bytes("".join([*pieces, text[place:]]).encode("utf-8"))
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); check its permissions") from None
    return counts


def _edits(text: str, tags: Mapping[int, Sequence[str]]) -> Iterator[tuple[int, int, list[str], str]]:
    """Start and stop of what is replaced, the tags that are added, and the new text."""
    wanted = dict(tags)
    for item in _items(text, _members(text, 0)["images"].start):
        members = _members(text, item.start)
        id = members["id"].content if "id" in members else None
        if not isinstance(id, int | float) or not wanted.get(int(id)):
            continue
        given = members.get("tags")
        old = given.content if given is not None else None
        kept = old if isinstance(old, list) else []
        added = [tag for tag in wanted.pop(int(id)) if tag not in kept]
        if not added:
            continue
        if given is not None:
            yield given.start, given.stop, added, json.dumps([*kept, *added], ensure_ascii=text.isascii())
        else:
            last = max(value.stop for value in members.values())
            yield last, last, added, f', "tags": {json.dumps(added)}'


def _members(text: str, start: int) -> dict[str, _Value]:
    """The members of the object that starts here, or after a byte order mark and space. Raises ValueError."""
    found: dict[str, _Value] = {}
    place = _after_space(text, start + text.startswith("\ufeff", start))
    _expect(text, place, "{")
    place = _after_space(text, place + 1)
    while text[place] != "}":
        key, place = _DECODER.raw_decode(text, place)
        place = _after_space(text, place)
        _expect(text, place, ":")
        value = _value(text, place + 1)
        found[key] = value
        place = _after_space(text, value.stop)
        if text[place] == ",":
            place = _after_space(text, place + 1)
    return found


def _items(text: str, start: int) -> Iterator[_Value]:
    """The items of the list that starts here. Raises ValueError."""
    _expect(text, start, "[")
    place = _after_space(text, start + 1)
    while text[place] != "]":
        value = _value(text, place)
        yield value
        place = _after_space(text, value.stop)
        if text[place] == ",":
            place = _after_space(text, place + 1)


def _value(text: str, place: int) -> _Value:
    start = _after_space(text, place)
    content, stop = _DECODER.raw_decode(text, start)
    return _Value(content, start, stop)


def _after_space(text: str, place: int) -> int:
    while text[place] in _SPACE:
        place += 1
    return place


def _expect(text: str, place: int, character: str) -> None:
    if text[place] != character:
        raise JSONDecodeError(f"expected {character}", text, place)
