"""An annotation and how well a model that is given its place agrees with it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disagreement:
    """dice: after 1 to k clicks that the annotation itself places; low in all where the model sees another object."""

    dataset: Path
    image: int
    file_name: str
    annotation: int
    category: str
    dice: tuple[float, ...]

    @property
    def best(self) -> float:
        """The greatest of them."""
        return max(self.dice)
