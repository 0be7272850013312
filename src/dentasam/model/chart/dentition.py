"""The numbers of teeth (FDI, ISO 3950) and their order along the arches, as a panoramic shows them.

The patient's right is on the image's left. Implants and supernumerary teeth have no number of their own: they are
named `IMPLANT` and `SUPERNUMERARY_TOOTH`.
"""

from __future__ import annotations

from collections.abc import Iterable

IMPLANT = "implant"
# A tooth beyond the normal set has no number either.
SUPERNUMERARY_TOOTH = "supernumerary"
# FDI numbers from left to right in the image: upper and lower permanent teeth, upper and lower deciduous teeth.
ARCHES = tuple(
    tuple([f"{right}{tooth}" for tooth in range(teeth, 0, -1)] + [f"{left}{tooth}" for tooth in range(1, teeth + 1)])
    for right, left, teeth in ((1, 2, 8), (4, 3, 8), (5, 6, 5), (8, 7, 5))
)
# Crowded teeth overlap: their centres may pass each other by this share of the narrower one's width.
CROWDED_SHARE = 0.1
PERMANENT = ARCHES[0] + ARCHES[1]
DECIDUOUS = ARCHES[2] + ARCHES[3]
NUMBERS = PERMANENT + DECIDUOUS
# All names that an object of a chart may have.
CHART_NAMES = (*NUMBERS, IMPLANT, SUPERNUMERARY_TOOTH)
# What the numberer takes an object for: a place in `NUMBERS`, a tooth beyond the normal set, or no tooth at all.
SUPERNUMERARY_OUTCOME, NOT_A_TOOTH = len(NUMBERS), len(NUMBERS) + 1
OUTCOMES = len(NUMBERS) + 2
OUTCOME_OF = {number: place for place, number in enumerate(NUMBERS)} | {SUPERNUMERARY_TOOTH: SUPERNUMERARY_OUTCOME}
# FDI quadrants, permanent 1-4 and deciduous 5-8: a mirror image shows right teeth on the left.
_OTHER_SIDE = dict(zip("12345678", "21436587", strict=True))
# Chart order: along the upper arch from the image's left to its right, a deciduous tooth right after the permanent
# one that follows it, then along the lower arch; implants and what has no number come last.
_DECIDUOUS_PLACE = {number: f"{int(number[0]) - 4}{number[1]}" for number in DECIDUOUS}
_ORDER = {number: 2 * place for place, number in enumerate(PERMANENT)}
_ORDER |= {number: _ORDER[place] + 1 for number, place in _DECIDUOUS_PLACE.items()}


def chart_place(number: str) -> int:
    """Where a number stands in chart order; a name that is not a number comes last."""
    return _ORDER.get(number, 2 * len(PERMANENT))


def successor(number: str) -> str | None:
    """The permanent number that follows a deciduous one (`"55"` → `"15"`); None for any other name."""
    return _DECIDUOUS_PLACE.get(number)


def mirrored(category: str) -> str:
    """FDI number of the same tooth on the other side; a category that is not an FDI number stays as it is."""
    if len(category) == 2 and category[0] in _OTHER_SIDE and category[1] in "12345678":
        return _OTHER_SIDE[category[0]] + category[1]
    return category


def missing_numbers(numbers: Iterable[str]) -> tuple[str, ...]:
    """Permanent numbers, in chart order, whose place holds neither that tooth nor its deciduous predecessor."""
    held = {successor(number) or number for number in numbers}
    return tuple(number for number in PERMANENT if number not in held)


# Each outcome in a mirror image.
MIRRORED_OUTCOMES = (*(OUTCOME_OF[mirrored(number)] for number in NUMBERS), SUPERNUMERARY_OUTCOME, NOT_A_TOOTH)
