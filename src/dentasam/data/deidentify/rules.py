"""What becomes of each element: dicom-anonymizer's table of PS3.15 E.1, and stricter rules for what it leaves open.

The library's table gives one of nine actions for a tag; its functions act on the top level alone, make all dates the
same day, and forget their UIDs at the end of the process. Here the table is applied at every level, dates and UIDs go
through the key, and elements that the table does not name are judged by their VR.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dentasam.errors import ExtraError

# The library's newest edition of the table, which holds more tags than that of its default.
EDITION = "dicomfields_2026c"


class Action(StrEnum):
    """What was done to an element, in the report's words."""

    REMOVE = "removed"
    EMPTY = "emptied"
    REPLACE = "replaced"
    PSEUDONYM = "pseudonym"
    UID = "UID replaced"
    SHIFT = "date moved"
    ENTER = "kept, its items judged"
    KEEP = "kept"
    CLEAN = "emptied, as it held an identifying value"
    SET = "set"


# The library's functions by their names. `X/D`, `X/Z` and the like take the side that leaves a valid file.
_TABLE_ACTIONS = {
    "replace": (Action.REPLACE, "D"),
    "empty": (Action.EMPTY, "Z"),
    "delete": (Action.REMOVE, "X"),
    "replace_UID": (Action.UID, "U"),
    "empty_or_replace": (Action.REPLACE, "Z/D"),
    "delete_or_empty": (Action.EMPTY, "X/Z"),
    "delete_or_replace": (Action.REPLACE, "X/D"),
    "delete_or_empty_or_replace": (Action.REPLACE, "X/Z/D"),
    "delete_or_empty_or_replace_UID": (Action.ENTER, "X/Z/U*"),
}
_PSEUDONYMS = frozenset({"PatientName", "PatientID"})
# Dates of the person, not of the examination: PS3.15 E.1 lets no option keep them, not even moved.
_PERSONAL_DATES = frozenset({"PatientBirthDate", "PatientBirthDateInAlternativeCalendar", "LastMenstrualDate"})
# Encrypted originals, and what signs elements that have changed.
_ALSO_REMOVED = frozenset({"EncryptedAttributesSequence", "MACParametersSequence"})
# Set anew at the end, whatever an earlier program claimed.
METHOD_KEYWORDS = frozenset(
    {"PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"}
    | {"LongitudinalTemporalInformationModified"}
)
_CODES = frozenset({"CodingSchemeUID", "LongCodeValue", "URNCodeValue", "ContextGroupExtensionCreatorUID"})
_FREE_TEXT = frozenset({"ST", "LT", "UT", "UC", "UR"})
_OVERLAYS, _CURVES = range(0x6000, 0x6100), range(0x5000, 0x5100)
# Numbers as text, also with a decimal comma, which readers tolerate; other text in their place may be a name.
_NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_NUMBER = re.compile(r"[\s\0]*[0-9+\-.,eE]*[\s\0]*")
OURS = "stricter than the profile"


def library() -> Any:
    """dicom-anonymizer's table and functions. Raises ExtraError where it is not installed."""
    try:
        # Untyped, and slow to import.
        return import_module("dicomanonymizer.simpledicomanonymizer")
    except ImportError:
        needed = "de-identifying DICOM files needs the package dicom-anonymizer"
        raise ExtraError(f"{needed}; pip install 'dentasam[dicom]'") from None


@cache
def _table() -> tuple[dict[tuple[int, int], str], list[tuple[tuple[int, ...], str]]]:
    """The names of the library's functions by tag, and those of groups that repeat as (tag and mask, name)."""
    actions = {tag: function.__name__ for tag, function in library().initialize_actions(EDITION).items()}
    single = {tag: name for tag, name in actions.items() if len(tag) == 2}
    return single, [(tag, name) for tag, name in actions.items() if len(tag) > 2]


def table_action(tag: BaseTag) -> tuple[Action, str] | None:
    """The action of the table and the profile's letter for it; None where the table does not name the tag."""
    single, masked = _table()
    name = single.get((tag.group, tag.element))
    if name is None:
        name = next(
            (
                name
                for (group, element, group_mask, element_mask), name in masked
                if (tag.group & group_mask, tag.element & element_mask)
                == (group & group_mask, element & element_mask)
            ),
            None,
        )
    return _TABLE_ACTIONS[name] if name else None


def is_well_known(value: str) -> bool:
    """Whether a UID is one of the standard's own, such as a SOP class; those are the same in all files."""
    return bool(UID(value).type)


def judge(tag: BaseTag, vr: str, values: list[str]) -> tuple[Action, str]:
    """The action for an element, and why: the profile's letter, or `stricter than the profile`.

    values: of an element that is text.
    """
    keyword = keyword_for_tag(tag) if dictionary_has_tag(tag) else ""
    if keyword in _PSEUDONYMS:
        return Action.PSEUDONYM, (table_action(tag) or (Action.REPLACE, "D"))[1]
    if tag.is_private:
        return Action.REMOVE, "X"
    stated = table_action(tag)
    if stated is None:
        return _by_kind(tag, keyword, vr, values)
    action, letter = stated
    if vr in ("DA", "DT") and keyword not in _PERSONAL_DATES:
        return Action.SHIFT, f"{letter}, modified dates"
    if vr == "UI" and action in (Action.REPLACE, Action.UID):
        # Well-known frames of reference and palettes are the same for everybody.
        return (Action.KEEP if all(map(is_well_known, values)) else Action.UID), letter
    if action is not Action.REMOVE and (vr == "DA" or (vr == "SQ" and action is Action.REPLACE)):
        # A dummy date would look true, and dummy items of a sequence would say nothing.
        return Action.EMPTY, letter
    return action, letter


def _by_kind(tag: BaseTag, keyword: str, vr: str, values: list[str]) -> tuple[Action, str]:
    """The action for an element that the table does not name."""
    if vr == "UI":
        known = keyword in _CODES or all(map(is_well_known, values))
        return (Action.KEEP, "") if known else (Action.UID, OURS)
    if tag.element == 0 or keyword in METHOD_KEYWORDS:
        return Action.REMOVE, ""
    # Without its data an overlay's description says nothing but what it may say of the patient.
    if tag.group in _OVERLAYS or tag.group in _CURVES or tag.group < 0x0008:
        return Action.REMOVE, OURS
    if not keyword or vr == "UN" or keyword in _ALSO_REMOVED:
        return Action.REMOVE, OURS
    if keyword in _CODES:
        return Action.KEEP, ""
    if vr in ("DA", "DT"):
        return Action.SHIFT, OURS
    if vr in ("PN", "TM", "AE", "AS"):
        return Action.EMPTY, OURS
    if vr in _FREE_TEXT:
        return Action.REMOVE, OURS
    if dictionary_VR(tag).split(" or ")[0] in _NUMBERS and not all(map(_NUMBER.fullmatch, values)):
        return Action.EMPTY, OURS
    return (Action.ENTER if vr == "SQ" else Action.KEEP), ""
