"""What is wrong in a dataset, with the place and the fix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# What is wrong, and the fix.
WhatAndFix = tuple[str, str]


@dataclass(frozen=True)
class Problem:
    """Something wrong in a dataset: where, what, and the fix. A dataset with warnings alone can be used.

    kind: a word for all problems of one kind, by which a report groups them; `file` for what a reader refuses.
    """

    image: int | None
    annotation: int | None
    what: str
    fix: str
    severity: Literal["error", "warning"] = "error"
    kind: str = "file"

    def line(self, path: Path) -> str:
        """One line that names the file, the place, what is wrong and the fix."""
        where = [str(path)]
        if self.image is not None:
            where.append(f"image {self.image}")
        if self.annotation is not None:
            where.append(f"annotation {self.annotation}")
        return f"{where[0]}: {', '.join(where[1:])}{': ' if where[1:] else ''}{self.what}; {self.fix}"


Report = Callable[[Problem], None]
