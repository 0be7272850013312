"""SNOMED CT codes of the teeth, for DICOM segmentations and structured reports.

The codes to write are those of the context groups CID 4018 (adult teeth) and CID 4019 (deciduous teeth) of DICOM
PS3.16, as pydicom 3.0 lists them. 25 of the 52 had another code in earlier editions (pydicom 2.4). Files with those
exist: they are read, and not written. No code means two teeth.
"""

from __future__ import annotations

from typing import NamedTuple

SCHEME = "SCT"


class ToothCode(NamedTuple):
    """A coded concept of the scheme `SCHEME`: its code value and its code meaning."""

    code: str
    meaning: str


# By FDI number: code, meaning, and the older code where it is another one.
_TEETH: dict[str, tuple[str, str, str | None]] = {
    "11": ("422653006", "Permanent maxillary right central incisor tooth", "22120004"),
    "12": ("424877001", "Permanent maxillary right lateral incisor tooth", "11712009"),
    "13": ("860767006", "Permanent maxillary right canine tooth", "80647007"),
    "14": ("57826002", "Permanent maxillary right first premolar tooth", None),
    "15": ("36492000", "Permanent maxillary right second premolar tooth", None),
    "16": ("865995000", "Permanent maxillary right first molar tooth", "5140004"),
    "17": ("863902006", "Permanent maxillary right second molar tooth", "7121006"),
    "18": ("68085002", "Permanent maxillary right third molar tooth", None),
    "21": ("424399000", "Permanent maxillary left central incisor tooth", "31982000"),
    "22": ("423185002", "Permanent maxillary left lateral incisor tooth", "25748002"),
    "23": ("860780009", "Permanent maxillary left canine tooth", "72876007"),
    "24": ("61897005", "Permanent maxillary left first premolar tooth", None),
    "25": ("23226009", "Permanent maxillary left second premolar tooth", None),
    "26": ("865988009", "Permanent maxillary left first molar tooth", "23427002"),
    "27": ("863901004", "Permanent maxillary left second molar tooth", "66303006"),
    "28": ("87704003", "Permanent maxillary left third molar tooth", None),
    "31": ("425106001", "Mandibular left central incisor tooth", "113278005"),
    "32": ("423331005", "Mandibular left lateral tooth", "77130001"),
    "33": ("860782001", "Mandibular left canine tooth", "39844006"),
    "34": ("2400006", "Mandibular left first premolar tooth", None),
    "35": ("24573005", "Mandibular left second premolar tooth", None),
    "36": ("866006002", "Mandibular left first molar tooth", "89625000"),
    "37": ("863898000", "Mandibular left second molar tooth", "48402004"),
    "38": ("74344005", "Mandibular left third molar tooth", None),
    "41": ("424575004", "Mandibular right central incisor tooth", "15422005"),
    "42": ("423937004", "Mandibular right lateral incisor tooth", "82628004"),
    "43": ("860785004", "Mandibular right canine tooth", "47055002"),
    "44": ("80140008", "Mandibular right first premolar tooth", None),
    "45": ("8873007", "Mandibular right second premolar tooth", None),
    "46": ("866005003", "Mandibular right first molar tooth", "28480000"),
    "47": ("863899008", "Mandibular right second molar tooth", "40005008"),
    "48": ("38994002", "Mandibular right third molar tooth", None),
    "51": ("88824007", "Deciduous maxillary right central incisor tooth", "245620002"),
    "52": ("65624003", "Deciduous maxillary right lateral incisor tooth", "245619008"),
    "53": ("30618001", "Deciduous maxillary right canine tooth", None),
    "54": ("17505006", "Deciduous maxillary right first molar tooth", "245616001"),
    "55": ("27855007", "Deciduous maxillary right second molar tooth", None),
    "61": ("51678005", "Deciduous maxillary left central incisor tooth", None),
    "62": ("43622005", "Deciduous maxillary left lateral incisor tooth", None),
    "63": ("73937000", "Deciduous maxillary left canine tooth", None),
    "64": ("45234009", "Deciduous maxillary left first molar tooth", None),
    "65": ("51943008", "Deciduous maxillary left second molar tooth", None),
    "71": ("89552004", "Deciduous mandibular left central incisor tooth", None),
    "72": ("14770005", "Deciduous mandibular left lateral incisor tooth", None),
    "73": ("43281008", "Deciduous mandibular left canine tooth", "245639007"),
    "74": ("38896004", "Deciduous mandibular left first molar tooth", None),
    "75": ("49330006", "Deciduous mandibular left second molar tooth", None),
    "81": ("67834006", "Deciduous mandibular right central incisor tooth", None),
    "82": ("22445006", "Deciduous mandibular right lateral incisor tooth", None),
    "83": ("6062009", "Deciduous mandibular right canine tooth", None),
    "84": ("58646007", "Deciduous mandibular right first molar tooth", "245631005"),
    "85": ("61868007", "Deciduous mandibular right second molar tooth", None),
}
_NUMBERS = {code: number for number, (new, _, older) in _TEETH.items() for code in (new, older) if code is not None}


def code_of(number: str) -> ToothCode | None:
    """The code to write for a tooth, by its FDI number; None for a name that is not an FDI number."""
    if number not in _TEETH:
        return None
    code, meaning, _ = _TEETH[number]
    return ToothCode(code, meaning)


def number_of(code: str) -> str | None:
    """The FDI number of a SNOMED CT code, of this edition or an earlier one; None for one that is not a tooth's."""
    return _NUMBERS.get(code.strip())
