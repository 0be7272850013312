"""What the graphs of an export take and give: names, types and shapes, checked before and after they are computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dentasam.documents.shown import cut, printable
from dentasam.model.onnx.export import ANSWER, CHOICES, EMBEDDING, PIXELS, PLACE, PROMPTS

FLOAT, WHOLE, BOOL = "tensor(float)", "tensor(int64)", "tensor(bool)"


@dataclass(frozen=True)
class Kind:
    """A type as ONNX Runtime names it, and the sides of a shape, None for those that are free."""

    type: str
    shape: tuple[int | None, ...]


# As `export.py` writes them.
_KINDS = {
    PIXELS: Kind(FLOAT, (None, 3, None, None)),
    PLACE: Kind(WHOLE, (2,)),
    "features": Kind(FLOAT, (None, 256, None, None)),
    "hq": Kind(FLOAT, (None, 32, None, None)),
    "image": Kind(WHOLE, (None,)),
    "points": Kind(FLOAT, (None, None, 2)),
    "labels": Kind(WHOLE, (None, None)),
    "previous": Kind(FLOAT, (None, None, None)),
    "has_previous": Kind(BOOL, (None,)),
    "logits": Kind(FLOAT, (None, None, None)),
    "scores": Kind(FLOAT, (None,)),
    "choices": Kind(FLOAT, (None, 3, None, None)),
    "choice_scores": Kind(FLOAT, (None, 3)),
}


def encoder_names(windows: bool) -> tuple[set[str], set[str]]:
    """The encoder's inputs and outputs; windows: of an export that takes object windows."""
    return {PIXELS, PLACE} if windows else {PIXELS}, set(EMBEDDING)


def decoder_names(windows: bool) -> tuple[set[str], set[str]]:
    """The decoder's inputs and outputs, as `encoder_names`."""
    if windows:
        return {*EMBEDDING, PLACE, *PROMPTS}, {*ANSWER, *CHOICES}
    return {*EMBEDDING, *PROMPTS} - {"image"}, set(ANSWER)


def strange_interface(session: Any, names: tuple[set[str], set[str]]) -> str | None:
    """What an opened graph takes or gives that no export does, in words; None for an honest graph."""
    try:
        ends = _ends(session)
    # ONNX Runtime takes names of any bytes, and fails where it hands them over.
    except UnicodeDecodeError:
        return "it has names that are not text"
    for verb, wanted, found in zip(("takes", "gives"), names, ends, strict=True):
        by_name = {end.name: end for end in found}
        for name in sorted(wanted ^ by_name.keys()):
            return f"it {verb} {'no ' * (name in wanted)}{cut(printable(name), 80)}"
        for name, end in by_name.items():
            kind = _KINDS[name]
            # ONNX Runtime gives no sides where the graph does not state them: what it gives is looked at later.
            sides = end.shape or kind.shape
            if end.type != kind.type:
                return f"it {verb} {name} as {cut(printable(end.type), 80)}"
            if len(sides) != len(kind.shape) or not all(map(_fits, sides, kind.shape)):
                return f"it {verb} {name} of the shape {cut(printable(str(sides)), 80)}"
    return None


def are_floats(arrays: Iterable[Any], *shapes: tuple[int, ...]) -> bool:
    """Whether what a run gave are arrays of float32 with these shapes."""
    given = [(array.dtype, array.shape) if isinstance(array, np.ndarray) else None for array in arrays]
    return given == [(np.dtype(np.float32), shape) for shape in shapes]


@dataclass(frozen=True)
class _End:
    name: str
    type: str
    shape: list[Any]


def _ends(session: Any) -> tuple[list[_End], list[_End]]:
    inputs, outputs = (
        [_End(end.name, end.type, end.shape) for end in ends]
        for ends in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs


def _fits(side: object, wanted: int | None) -> bool:
    return wanted is None or not isinstance(side, int) or side == wanted
