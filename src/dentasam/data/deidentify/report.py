"""The report: what was done to which element of which file. It holds no original value and no original name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from dentasam.data.table import csv_text
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically

REPORT_NAME = "report.csv"


@dataclass(frozen=True, slots=True)
class Touch:
    """One element of a file. tag: `(gggg,eeee)`, after the tags and items of the sequences that hold it.

    rule: the profile's letter, or why the element was touched.
    """

    tag: str
    name: str
    vr: str
    action: str
    rule: str


def write_report(path: Path, touched: Iterable[tuple[str, Sequence[Touch]]]) -> None:
    """Writes the elements touched in each file, by its new name: JSON for the suffix .json, otherwise CSV.

    Raises OutputError where the file cannot be written.
    """
    names = [field.name for field in fields(Touch)]
    if path.suffix.lower() == ".json":
        content = [
            {"file": file, "touched": [dict(zip(names, astuple(touch), strict=True)) for touch in touches]}
            for file, touches in touched
        ]
        text = json.dumps(content, indent=1)
    else:
        rows = [(file, *astuple(touch)) for file, touches in touched for touch in touches]
        text = csv_text([("file", *names), *rows])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); name another --report") from None
