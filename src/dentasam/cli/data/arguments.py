"""Options that several commands of `dentasam data` share, and the line that says how large a dataset is."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.data.teeth.numbering import Numbering

Out = Annotated[Path, typer.Option("--out", help="Folder to write to; new or empty.")]
Numbers = Annotated[
    Numbering | None,
    typer.Option("--numbering", help="How teeth are numbered there: fdi, universal or palmer."),
]
InsecureHttp = Annotated[
    bool, typer.Option("--insecure-http", help="Allow plain http to a server elsewhere, without credentials.")
]
DICOMWEB = "dicomweb"


def size(path: Path, images: int, objects: int) -> str:
    """What a dataset holds, in one line."""
    return f"{path}: {images} image{'s' * (images != 1)}, {objects} object{'s' * (objects != 1)}"
