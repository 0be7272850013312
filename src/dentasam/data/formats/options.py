"""What an import may be told beside its source and its target."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class ImportOptions:
    """The defaults are those of an import without options.

    images: the folder of a COCO file's images, where it is not one of the usual places. crowd_as_objects: take
    annotations with `iscrowd` 1 for objects. report: takes a line about what was passed over or decided.
    progress: takes the number of images done and of all.
    """

    images: Path | None = None
    crowd_as_objects: bool = False
    report: Callable[[str], None] = _ignore
    progress: Callable[[int, int], None] = _ignore
