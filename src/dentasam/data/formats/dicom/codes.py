"""What a segment is, as coded concepts, and the category that a segment of any tool stands for.

A tooth has its SNOMED CT code (`dentasam.data.teeth.snomed`). Other structures have one where DICOM PS3.16 lists it
(mostly CID 7150 for categories, CID 7151 for types), and else a private code, whose meaning is the category's name.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from dentasam.data.teeth.snomed import SCHEME, code_of, number_of
from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import parse_json
from dentasam.model.chart.dentition import IMPLANT, SUPERNUMERARY_TOOTH

if TYPE_CHECKING:
    from pydicom import Dataset

PRIVATE_SCHEME = "99DENTASAM"
MANUFACTURER = "dentasam"
# A label is of the VR LO, a code value SH, a description ST.
MAX_LABEL, MAX_CODE, MAX_DESCRIPTION = 64, 16, 1024


class Concept(NamedTuple):
    """A coded concept: value, scheme, meaning."""

    value: str
    scheme: str
    meaning: str


ANATOMICAL_STRUCTURE = Concept("91723000", SCHEME, "Anatomical Structure")
ABNORMAL_STRUCTURE = Concept("49755003", SCHEME, "Morphologically Abnormal Structure")
PHYSICAL_OBJECT = Concept("260787004", SCHEME, "Physical object")
TOOTH = Concept("38199008", SCHEME, "Tooth")
LESION = Concept("52988006", SCHEME, "Lesion")
# By the category's name in small letters; None as the type stands for a private code.
_KNOWN: dict[str, tuple[Concept, Concept | None]] = {
    "tooth": (ANATOMICAL_STRUCTURE, TOOTH),
    SUPERNUMERARY_TOOTH: (ANATOMICAL_STRUCTURE, TOOTH),
    "mandible": (ANATOMICAL_STRUCTURE, Concept("91609006", SCHEME, "Mandible")),
    "maxilla": (ANATOMICAL_STRUCTURE, Concept("70925003", SCHEME, "Maxilla")),
    "maxillary sinus": (ANATOMICAL_STRUCTURE, Concept("15924003", SCHEME, "Maxillary sinus")),
    IMPLANT: (PHYSICAL_OBJECT, Concept("40388003", SCHEME, "Implant")),
    "bridge": (PHYSICAL_OBJECT, Concept("27606000", SCHEME, "Dental Prosthesis")),
    "inlay": (PHYSICAL_OBJECT, Concept("272287005", SCHEME, "Inlay Dental Restoration")),
    "restoration": (PHYSICAL_OBJECT, None),
    "filling": (PHYSICAL_OBJECT, None),
    "root filling": (PHYSICAL_OBJECT, None),
    "crown": (PHYSICAL_OBJECT, None),
    "lesion": (ABNORMAL_STRUCTURE, LESION),
    "periapical lesion": (ABNORMAL_STRUCTURE, LESION),
    "caries": (ABNORMAL_STRUCTURE, None),
    "cyst": (ABNORMAL_STRUCTURE, Concept("367643001", SCHEME, "Cyst")),
}
# By the supercategory of a dataset's category whose name is none of these.
_BY_KIND = {"restoration": PHYSICAL_OBJECT, "lesion": ABNORMAL_STRUCTURE, IMPLANT: PHYSICAL_OBJECT}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


def concepts_of(name: str, kind: str, number: str | None) -> tuple[Concept, Concept]:
    """Category and type of a segment. name: the object's category; kind: that category's supercategory.

    number: the FDI number, where the object is a tooth whose number is known.
    """
    tooth = code_of(number) if number is not None else None
    if tooth is not None:
        return ANATOMICAL_STRUCTURE, Concept(tooth.code, SCHEME, tooth.meaning)
    category, type = _KNOWN.get(name.lower(), (_BY_KIND.get(kind.lower(), ANATOMICAL_STRUCTURE), None))
    return category, type or _private(name)


def label_of(name: str) -> str:
    """The name as a segment's label (VR LO): at most 64 characters, without backslash and control characters."""
    plain = _UNPRINTABLE.sub("_", name).strip()
    return plain if 0 < len(plain) <= MAX_LABEL else f"{plain[: MAX_LABEL - 3]}..." if plain else "unnamed"


def description_of(name: str) -> str | None:
    """What keeps a name that a label cannot hold: the name as a JSON string; None where the label holds it.

    Raises ValueError for a name that is too long.
    """
    if label_of(name) == name:
        return None
    coded = json.dumps(name)
    if len(coded) > MAX_DESCRIPTION:
        raise ValueError(f"the category {name!r:.40} has over {MAX_DESCRIPTION} characters")
    return coded


def name_of(segment: Dataset, own: bool) -> tuple[str, bool]:
    """The category that a segment stands for, and whether a code says which tooth it is.

    The code comes first, then the label, then the type's meaning. A tooth may also be coded as the type "Tooth" with
    its number as the anatomic region or a modifier. own: the file is one of this package, which has names that a
    label cannot hold in the description.
    """
    type = _first(segment, "SegmentedPropertyTypeCodeSequence")
    number = _tooth(type)
    if number is None and type is not None and _text(type, "CodeValue") == TOOTH.value:
        places = [
            _first(segment, "PrimaryAnatomicStructureSequence"),
            _first(segment, "AnatomicRegionSequence"),
            _first(type, "SegmentedPropertyTypeModifierCodeSequence"),
        ]
        number = next((found for place in places if (found := _tooth(place)) is not None), None)
    if number is not None:
        return number, True
    kept = _kept_name(_text(segment, "SegmentDescription")) if own else None
    label = kept or _text(segment, "SegmentLabel") or (_text(type, "CodeMeaning") if type is not None else "")
    return label or f"segment {_text(segment, 'SegmentNumber')}", False


def _private(name: str) -> Concept:
    plain = _UNPRINTABLE.sub("_", name).strip()
    # A code value has few characters, and stands for one name only.
    fits = plain == name and 0 < len(name) <= MAX_CODE
    value = name if fits else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:MAX_CODE]
    return Concept(value, PRIVATE_SCHEME, label_of(name))


def _kept_name(description: str) -> str | None:
    try:
        name = parse_json(description)
    except DocumentError:
        return None
    return name if isinstance(name, str) and name else None


def _tooth(code: Dataset | None) -> str | None:
    if code is None or _text(code, "CodingSchemeDesignator") != SCHEME:
        return None
    return number_of(_text(code, "CodeValue"))


def _first(item: Dataset, keyword: str) -> Dataset | None:
    found = item.get(keyword)
    return found[0] if found else None


def _text(item: Dataset, keyword: str) -> str:
    value = item.get(keyword)
    return "" if value is None else str(value).strip()
