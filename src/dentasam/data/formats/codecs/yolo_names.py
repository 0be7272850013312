"""The names of YOLO's classes in `data.yaml`: a list, or a mapping by class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dentasam.data.formats.tooth_names import declared
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.error import DocumentError
from dentasam.documents.values import is_digits
from dentasam.documents.yaml_document import TextLoader, parse_yaml
from dentasam.errors import DatasetError


def names_in_yaml(path: Path, text: str) -> tuple[dict[int, str], Numbering | None]:
    """The names by their classes in the text of a YAML file, and the numbering that our own export states.

    Raises DatasetError, which names the file, where it has none, or a key twice.
    """
    try:
        # Every value is text: a class may be called 018 or no.
        content = parse_yaml(text, TextLoader)
    except DocumentError as error:
        if error.key is not None:
            raise DatasetError(f"{path} has the key {error.key!r} twice; take one of them out") from None
        raise DatasetError(f"{path} is not readable YAML ({error}); correct it") from None
    content = content if isinstance(content, dict) else {}
    if "kpt_shape" in content:
        raise DatasetError(f"{path} is a dataset of keypoints; export it again for segmentation")
    names = _by_class(content.get("names"))
    if names is None:
        raise DatasetError(f"{path} has no 'names' of its classes; write them as a list, or by class as 0: crown")
    return names, declared(content.get("numbering"))


def _by_class(given: Any) -> dict[int, str] | None:
    if isinstance(given, list):
        given = dict(enumerate(given))
    pairs = list(given.items()) if isinstance(given, dict) else []
    if not pairs or not all(isinstance(name, str) and name for _, name in pairs):
        return None
    if not all(isinstance(key, int) or (is_digits(str(key)) and len(key) < 10) for key, _ in pairs):
        return None
    names = {int(key): name for key, name in pairs}
    return names if len(names) == len(pairs) else None
