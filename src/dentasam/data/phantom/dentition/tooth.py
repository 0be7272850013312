"""A tooth in its jaw, and a dentition: all teeth, gaps, implants and bridges of a phantom."""

from dataclasses import dataclass, field

import numpy as np

from dentasam.data.phantom.anatomy import Points, ToothShape
from dentasam.data.phantom.scene import Geometry

SUPERNUMERARY = "supernumerary"


@dataclass
class Tooth:
    """A tooth in the jaw: FDI number, its biting edge's place (anatomy x, y), tilt (radians), shape.

    germ: it lies in the bone, as a germ or impacted. supernumerary: `number` is the place beside which it stands.
    """

    number: str
    x: float
    y: float
    tilt: float
    width: float
    length: float
    shape: ToothShape
    germ: bool = False
    supernumerary: bool = False

    @property
    def position(self) -> int:
        return int(self.number[1])

    @property
    def upper(self) -> bool:
        return self.number[0] in "1256"

    @property
    def deciduous(self) -> bool:
        return self.number[0] in "5678"

    @property
    def category(self) -> str:
        """What the tooth is annotated as."""
        return SUPERNUMERARY if self.supernumerary else self.number

    def place(self, points: Points) -> Points:
        """The tooth's u, v (N, 2) to anatomy x, y."""
        side = -1.0 if self.number[0] in "1458" else 1.0
        down = -1.0 if self.upper else 1.0
        across = points[:, 0] * self.width
        along = points[:, 1] * self.length
        sin, cos = np.sin(self.tilt), np.cos(self.tilt)
        return np.stack(
            [self.x + side * (across * cos + along * sin), self.y + down * (along * cos - across * sin)],
            axis=1,
        )

    def pixels(self, points: Points, geometry: Geometry) -> Points:
        return geometry.to_image(self.place(points))


@dataclass(frozen=True)
class Dentition:
    """The teeth, the empty places (FDI numbers) and the bend of the biting line.

    implants: the places that hold one; None leaves it to chance which of the gaps do. bridges: each the crowns
    that it joins, mesial to distal, those in gaps too. youth: 0 for the jaws of an adult, 1 for those of a child.
    """

    teeth: list[Tooth]
    gaps: list[Tooth]
    smile: float
    gape: float
    implants: list[Tooth] | None = None
    bridges: list[list[Tooth]] = field(default_factory=list)
    youth: float = 0.0
