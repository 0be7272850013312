"""What is wrong in a dataset, with the place and the fix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# What is wrong, and the fix.
Fault = tuple[str, str]


@dataclass(frozen=True)
class Problem:
    """Something wrong in a dataset: where, what, and the mend. A warning does not stop a dataset's use."""

    image: int | None
    annotation: int | None
    what: str
    mend: str
    severity: Literal["fault", "warning"] = "fault"

    def line(self, path: Path) -> str:
        where = [str(path)]
        if self.image is not None:
            where.append(f"image {self.image}")
        if self.annotation is not None:
            where.append(f"annotation {self.annotation}")
        return f"{where[0]}: {', '.join(where[1:])}{': ' if where[1:] else ''}{self.what}; {self.mend}"


Report = Callable[[Problem], None]
