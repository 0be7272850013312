"""The rules applied to one data set: sequences, private elements and overlays included, its identifiers collected.

Values are handled as the bytes that the file holds wherever they can be: a header with slips, such as a date that is
none or a text in another character set than stated, is de-identified like any other and keeps what is not touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.tag import BaseTag

from dentasam.data.deidentify.dates import shifted
from dentasam.data.deidentify.identifiers import Identifiers, readings
from dentasam.data.deidentify.keyed_map import KeyedMap
from dentasam.data.deidentify.report import Touch
from dentasam.data.deidentify.rules import Action, is_well_known, judge, library

TEXT_VRS = frozenset({"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
READ_VRS = TEXT_VRS | {"DA", "DS", "DT", "IS", "TM", "UI"}
_DELIMITERS = set(b"\r\n\t\f\\^=")
# Codes that the image cannot be read without.
_STRUCTURE = frozenset(
    {"SpecificCharacterSet", "PhotometricInterpretation", "Modality", "LossyImageCompression"}
    | {"BurnedInAnnotation", "PresentationLUTShape", "VOILUTFunction", "RescaleType", "PixelIntensityRelationship"}
)


@dataclass
class Profile:
    """De-identifies one file's header. touched: in order; made: the texts that were written in place of others."""

    keyed: KeyedMap
    pseudonym: str
    days_earlier: int
    touched: list[Touch] = field(default_factory=list)
    identifiers: Identifiers = field(default_factory=Identifiers)
    made: set[str] = field(default_factory=set)

    def apply(self, dataset: Dataset) -> None:
        """De-identifies the data set in place; then empties what was kept and repeats an identifying value."""
        self._apply(dataset, "")
        self._clean(dataset, "")
        self.made.add(self.pseudonym)

    def _apply(self, dataset: Dataset, where: str) -> None:
        encodings = encodings_of(dataset)
        for tag in sorted(dataset.keys()):
            vr, values, raw = content_of(dataset, tag, encodings)
            action, rule = judge(tag, vr, values)
            if vr == "SQ" and action in (Action.ENTER, Action.REMOVE, Action.EMPTY, Action.REPLACE):
                items = items_of(dataset, tag)
                if action is Action.ENTER and items is not None:
                    for number, item in enumerate(items):
                        self._apply(item, f"{where}{tag}[{number}].".replace(" ", ""))
                    continue
                for item in items or ():
                    self._collect(item)
                action = Action.REMOVE if action is Action.ENTER else action
            elif action is Action.ENTER:
                action = Action.REMOVE
            if action is Action.KEEP:
                continue
            self._take(tag, vr, values, raw)
            if self._change(dataset, tag, vr, values, action):
                self._touch(where, tag, vr, action, rule)

    def _collect(self, dataset: Dataset) -> None:
        """Takes the identifiers of the items of a sequence that goes."""
        encodings = encodings_of(dataset)
        for tag in sorted(dataset.keys()):
            vr, values, raw = content_of(dataset, tag, encodings)
            if vr == "SQ":
                for item in items_of(dataset, tag) or ():
                    self._collect(item)
            else:
                self._take(tag, vr, values, raw)

    def _take(self, tag: BaseTag, vr: str, values: list[str], raw: bytes) -> None:
        if vr == "UI":
            values, raw = [value for value in values if not is_well_known(value)], b""
        self.identifiers.add(_keyword(tag), vr, values, raw)

    def _change(self, dataset: Dataset, tag: BaseTag, vr: str, values: list[str], action: Action) -> bool:
        """Does what an action says; whether that changed anything."""
        filled = vr not in READ_VRS or any(value.strip(" \0") for value in values)
        if action is Action.REMOVE:
            del dataset[tag]
            return True
        if not filled:
            return False
        if action is Action.PSEUDONYM:
            dataset[tag] = DataElement(tag, dictionary_VR(tag), self.pseudonym)
        elif action is Action.UID:
            new = [value if is_well_known(value) else self.keyed.uid(value) for value in values if value]
            self._put(dataset, tag, "UI", new)
        elif action is Action.SHIFT:
            self._put(dataset, tag, vr, [shifted(value, self.days_earlier) for value in values])
        elif vr == "SQ":
            dataset[tag] = DataElement(tag, "SQ", [])
        elif action is Action.EMPTY and vr in ("DA", "DT", "TM"):
            # The library would put a date of the year 1.
            dataset[tag] = DataElement(tag, vr, "")
        else:
            self._dummy(dataset, tag, vr, action)
        return True

    def _put(self, dataset: Dataset, tag: BaseTag, vr: str, values: list[str]) -> None:
        self.made.update(values)
        dataset[tag] = DataElement(tag, vr, values if len(values) > 1 else "".join(values))

    def _dummy(self, dataset: Dataset, tag: BaseTag, vr: str, action: Action) -> None:
        """Puts the library's dummy for the VR in place of the value; removes the element where it has none."""
        element = DataElement(tag, vr, None)
        try:
            (library().replace_element if action is Action.REPLACE else library().empty_element)(element)
        except NotImplementedError:
            del dataset[tag]
            return
        self.made.add(str(element.value))
        dataset[tag] = element

    def _clean(self, dataset: Dataset, where: str) -> None:
        """Empties kept texts that hold an identifying value of another element."""
        encodings = encodings_of(dataset)
        for tag in sorted(dataset.keys()):
            vr, values, raw = content_of(dataset, tag, encodings)
            if vr == "SQ":
                for number, item in enumerate(items_of(dataset, tag) or ()):
                    self._clean(item, f"{where}{tag}[{number}].".replace(" ", ""))
                continue
            stated = dictionary_VR(tag) if dictionary_has_tag(tag) else ""
            if not {vr, stated} & TEXT_VRS or _keyword(tag) in _STRUCTURE:
                continue
            if set(values) <= self.made | {self.pseudonym}:
                continue
            # The first values of an image type are the standard's, the others the device's.
            fixed = values[:3] if _keyword(tag) == "ImageType" else []
            texts = "\\".join([*values[len(fixed) :], *readings(raw)])
            held = self.identifiers.found_in_text(texts, coded="CS" in (vr, stated))
            if held is not None:
                dataset[tag] = DataElement(tag, stated if stated in TEXT_VRS else vr, fixed or "")
                self._touch(where, tag, vr, Action.CLEAN, held or "a private element")

    def _touch(self, where: str, tag: BaseTag, vr: str, action: Action, rule: str) -> None:
        name = "private" if tag.is_private else _keyword(tag) or "unknown"
        self.touched.append(Touch(f"{where}{tag}".replace(" ", ""), name, vr, action.value, rule))


def encodings_of(dataset: Dataset) -> list[str]:
    """The Python encodings of a data set's texts; those of the standard where it states none or an unknown one."""
    try:
        stated = dataset.get("SpecificCharacterSet") or dataset._parent_encoding
        return convert_encodings(stated) if isinstance(stated, str | list) or stated is None else list(stated)
    except Exception:
        return ["iso8859"]


def content_of(dataset: Dataset, tag: BaseTag, encodings: list[str]) -> tuple[str, list[str], bytes]:
    """VR, values as texts and the bytes of an element; the VR of the dictionary where the file states none."""
    element: Any = dataset.get_item(tag)
    vr = element.VR
    if vr in (None, "UN") and not tag.is_private and dictionary_has_tag(tag):
        vr = dictionary_VR(tag).split(" or ")[0]
    vr = vr or "UN"
    value = element.value
    if vr == "SQ" or value is None:
        return vr, [], b""
    if not isinstance(value, bytes):
        texts = list(map(str, value if hasattr(value, "append") else [value]))
        return vr, texts, "\\".join(texts).encode("utf-8", "surrogateescape")
    return vr, _texts(value, encodings) if vr in READ_VRS else [], value


def _texts(value: bytes, encodings: list[str]) -> list[str]:
    """The values of a text in the stated character set; in Latin-1 where it cannot be decoded."""
    try:
        text = decode_bytes(value, encodings, _DELIMITERS)
    except Exception:
        text = value.decode("latin-1")
    return [part.strip(" \0") for part in text.split("\\")]


def items_of(dataset: Dataset, tag: BaseTag) -> list[Dataset] | None:
    """The items of a sequence; None where it cannot be parsed."""
    try:
        element = dataset[tag]
        return list(element.value) if element.VR == "SQ" else None
    except Exception:
        # pydicom parses a sequence on access, and raises exceptions of almost any type where it is broken.
        return None


def _keyword(tag: BaseTag) -> str:
    return keyword_for_tag(tag) if dictionary_has_tag(tag) else ""
