"""Tooth numbers of the FDI, Universal and Palmer systems, and which of them a set of category names is in.

    FDI        18 … 11 | 21 … 28     deciduous  55 … 51 | 61 … 65
               48 … 41 | 31 … 38                85 … 81 | 71 … 75
    Universal   1 …  8 |  9 … 16     deciduous   A …  E |  F …  J
               32 … 25 | 24 … 17                 T …  P |  O …  K
    Palmer    UR8 … UR1|UL1 … UL8    deciduous URE … URA|ULA … ULE
              LR8 … LR1|LL1 … LL8              LRE … LRA|LLA … LLE

Universal numbers a supernumerary tooth after its neighbour: 50 more than a permanent one's number (51-82), and the
letter of a deciduous one with an S (AS-TS). These become `SUPERNUMERARY_TOOTH`, since FDI has no number for them.
Palmer's symbols are read in Unicode as well (`8⏌`, `⎿8`, `⎾8`, `8⏋`, or the box-drawing `8┘`); they are written in
ASCII, which every tool can show and search for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dentasam.model.chart.dentition import ARCHES, SUPERNUMERARY_TOOTH

# The key under which a dataset, or a file of other tools that we wrote, states its numbering.
MARK = "numbering"


class Numbering(StrEnum):
    fdi = "fdi"
    universal = "universal"
    palmer = "palmer"


class Verdict(StrEnum):
    """Which numbering the names are in: one, none since no name is a number, several would fit, or none fits all."""

    clear = "clear"
    no_numbers = "no_numbers"
    ambiguous = "ambiguous"
    contradictory = "contradictory"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What `recognise` found. numbering: None unless the verdict is clear. reason: for an error message, such as
    `'9' is a number of universal, '48' is a number of fdi`."""

    verdict: Verdict
    numbering: Numbering | None
    reason: str


_UPPER, _LOWER, _UPPER_DECIDUOUS, _LOWER_DECIDUOUS = ARCHES
_UNIVERSAL_DECIDUOUS = dict(zip("ABCDEFGHIJ", _UPPER_DECIDUOUS, strict=True)) | dict(
    zip("TSRQPONMLK", _LOWER_DECIDUOUS, strict=True)
)
_UNIVERSAL = (
    {str(place): number for place, number in enumerate(_UPPER, 1)}
    | {str(32 - place): number for place, number in enumerate(_LOWER)}
    | _UNIVERSAL_DECIDUOUS
)
_SUPERNUMERARY = {str(number) for number in range(51, 83)} | {f"{letter}S" for letter in _UNIVERSAL_DECIDUOUS}
_QUADRANTS = dict(zip("12345678", ("UR", "UL", "LL", "LR") * 2, strict=True))
_PALMER = {
    _QUADRANTS[number[0]] + (number[1] if number[0] in "1234" else "ABCDE"[int(number[1]) - 1]): number
    for arch in ARCHES
    for number in arch
}
_TO_FDI: dict[Numbering, dict[str, str]] = {
    Numbering.fdi: {number: number for arch in ARCHES for number in arch},
    Numbering.universal: _UNIVERSAL | dict.fromkeys(_SUPERNUMERARY, SUPERNUMERARY_TOOTH),
    Numbering.palmer: _PALMER,
}
_FROM_FDI: dict[Numbering, dict[str, str]] = {
    Numbering.fdi: {},
    Numbering.universal: {number: own for own, number in _UNIVERSAL.items()},
    Numbering.palmer: {number: own for own, number in _PALMER.items()},
}
_SYMBOLS = {"⏌": "UR", "┘": "UR", "⎿": "UL", "└": "UL", "⎾": "LL", "┌": "LL", "⏋": "LR", "┐": "LR"}
_RIGHT = "".join(symbol for symbol, quadrant in _SYMBOLS.items() if quadrant[1] == "R")
_LEFT = "".join(symbol for symbol, quadrant in _SYMBOLS.items() if quadrant[1] == "L")
_SPELLING = re.compile(
    r"(?:(?P<system>fdi|universal|palmer)[ _:-]*)?(?:tooth[ _:-]*|t(?=[0-9]{2}$))?(?:\#[ ]?|no\.?[ ]?)?"
    r"(?:0*(?P<digits>[1-9][0-9]?)(?:\.0)?|(?P<dotted>[1-8]\.[1-8])|(?P<letters>[a-t]s?)"
    rf"|(?P<quadrant>[ul][rl])[ _-]?(?P<place>[1-8a-e])|(?P<right>[1-8a-e][{_RIGHT}])|(?P<left>[{_LEFT}][1-8a-e]))",
    re.IGNORECASE | re.ASCII,
)
# As many single letters are hardly the names of classes "A", "B" and "C".
_ENOUGH_LETTERS = 5


def to_fdi(name: str, numbering: Numbering) -> str | None:
    """The FDI number of a tooth that `name` numbers in a system; None where it is not a number of that system.

    A supernumerary tooth of the Universal system is `SUPERNUMERARY_TOOTH`. Read alike, in upper and lower case: `36`,
    `036`, `36.0`, `#36`, `No. 36`, `T36`, `tooth 36`, `Tooth_36`, `tooth-36`, `FDI 36`, `FDI tooth 36`; in FDI `3.6`;
    in Palmer `LL6`, `LL-6`, `LL 6`, `⎾6` and `┌6`. A name with anything else in it is not a number: `36 crown`.
    """
    code = _code(name, numbering)
    return None if code is None else _TO_FDI[numbering].get(code)


def from_fdi(number: str, numbering: Numbering) -> str:
    """The name of a tooth in a system, from its FDI number: `36` becomes `19` or `LL6`.

    A name that is not an FDI number, such as `implant` or `supernumerary`, stays as it is.
    """
    return _FROM_FDI[numbering].get(number, number)


def recognise(names: Iterable[str]) -> Recognition:
    """Which system the numbers among some category names are in; names that are not numbers do not count.

    Decisive are numbers of one system only: 33-48 and 83-85 of FDI, 1-10, 19, 20, 29, 30, 56-60, 66-70 and 76-80 of
    Universal, all of Palmer. 11-18, 21-28, 31 and 32 fit FDI and Universal alike and decide nothing. 51-55, 61-65,
    71-75, 81 and 82 are supernumerary teeth where others show that the system is Universal, and else FDI's deciduous
    teeth. Letters A-T may be names of classes: they count as Universal beside a number that fits it, when no number
    says FDI, or where there are five of them at least.
    """
    fitting = {name: _fitting(name) for name in dict.fromkeys(names)}
    letters = [name for name, systems in fitting.items() if systems and _is_letter(name)]
    digits = {name: systems for name, systems in fitting.items() if systems and name not in letters}
    decisive: dict[Numbering, str] = {}
    for name, systems in digits.items():
        if len(systems) == 1:
            decisive.setdefault(systems[0], name)
    beside = any(Numbering.universal in systems and not _is_deciduous(name) for name, systems in digits.items())
    if letters and (len(letters) >= _ENOUGH_LETTERS or (beside and Numbering.fdi not in decisive)):
        decisive.setdefault(Numbering.universal, letters[0])
    if Numbering.universal not in decisive:
        for name in digits:
            if _is_deciduous(name):
                decisive.setdefault(Numbering.fdi, name)
    if not digits and not decisive:
        return Recognition(Verdict.no_numbers, None, "no name is a tooth number")
    if not decisive:
        reason = f"{_shown(next(iter(digits)))} is a number of fdi and of universal, as all others"
        return Recognition(Verdict.ambiguous, None, reason)
    parts = [f"{_shown(name)} is a number of {system}" for system, name in decisive.items()]
    if len(decisive) > 1:
        return Recognition(Verdict.contradictory, None, ", ".join(parts))
    return Recognition(Verdict.clear, next(iter(decisive)), parts[0])


def _code(name: str, numbering: Numbering) -> str | None:
    """A name as the tables spell it, without what may stand around the number; None if it is not one."""
    match = _SPELLING.fullmatch(name.strip())
    if match is None or (match["system"] or numbering).lower() != numbering:
        return None
    if match["dotted"]:
        return match["dotted"].replace(".", "") if numbering is Numbering.fdi else None
    if match["quadrant"]:
        return (match["quadrant"] + match["place"]).upper()
    if match["right"]:
        return (_SYMBOLS[match["right"][1]] + match["right"][0]).upper()
    if match["left"]:
        return (_SYMBOLS[match["left"][0]] + match["left"][1]).upper()
    return (match["digits"] or match["letters"]).upper()


def _fitting(name: str) -> list[Numbering]:
    return [numbering for numbering in Numbering if to_fdi(name, numbering) is not None]


def _is_letter(name: str) -> bool:
    """Whether a name is a letter of the Universal system without a word beside it, such as `tooth A`."""
    return len(name.strip()) <= 2 and name.strip().isalpha()


def _is_deciduous(name: str) -> bool:
    """Whether a name is a number of a deciduous tooth in FDI, and of a supernumerary tooth in Universal."""
    return to_fdi(name, Numbering.universal) == SUPERNUMERARY_TOOTH and to_fdi(name, Numbering.fdi) is not None


def _shown(name: str) -> str:
    return f"{name!r:.40}"
