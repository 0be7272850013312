"""Options that several commands of `dentasam data` share, and the line that says how large a dataset is."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from dentasam.data.teeth.numbering import Numbering
from dentasam.model.chart.dentition import NUMBERS

Out = Annotated[Path, typer.Option("--out", help="Folder to write to; new or empty.")]
Numbers = Annotated[
    Numbering | None,
    typer.Option("--numbering", help="How teeth are numbered there: fdi, universal or palmer."),
]
InsecureHttp = Annotated[
    bool, typer.Option("--insecure-http", help="Allow plain http to a server elsewhere, without credentials.")
]
DICOMWEB = "dicomweb"


def names_line(categories: Iterable[str], most: int = 8) -> str | None:
    """How many objects are teeth, and the other categories with their numbers; None where all are teeth."""
    counts = Counter(categories)
    others = [(name, count) for name, count in counts.most_common() if name not in NUMBERS]
    if not others:
        return None
    shown = ", ".join(f"{name[:40]} ({count})" for name, count in others[:most])
    more = f" and {len(others) - most} more" if len(others) > most else ""
    return f"teeth by FDI number: {sum(counts[number] for number in NUMBERS)}; other categories: {shown}{more}"


def size(path: Path, images: int, objects: int) -> str:
    """What a dataset holds, in one line."""
    return f"{path}: {images} image{'s' * (images != 1)}, {objects} object{'s' * (objects != 1)}"
