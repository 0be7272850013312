"""Which teeth a phantom has and where they stand."""

from dataclasses import dataclass

import numpy as np

from dentasam.data.phantom.anatomy import LOWER, UPPER, Points, ToothShape, tooth_shape
from dentasam.data.phantom.scene import Geometry


@dataclass
class Tooth:
    """A tooth in the jaw: FDI number, its biting edge's place (anatomy x, y), tilt (radians), shape."""

    number: str
    x: float
    y: float
    tilt: float
    width: float
    length: float
    shape: ToothShape
    germ: bool = False

    @property
    def position(self) -> int:
        return int(self.number[1])

    @property
    def upper(self) -> bool:
        return self.number[0] in "12"

    def place(self, points: Points) -> Points:
        """The tooth's u, v (N, 2) to anatomy x, y."""
        side = -1.0 if self.number[0] in "14" else 1.0
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
    """The teeth, the empty places (FDI numbers) and the bend of the biting line."""

    teeth: list[Tooth]
    gaps: list[Tooth]
    smile: float
    gape: float


def draw_dentition(rng: np.random.Generator, crowding: bool = False) -> Dentition:
    """Draw a dentition: usually 28 to 32 teeth, sometimes many missing, young or crowded."""
    smile = float(rng.normal(0.0, 0.09))
    gape = float(rng.normal(0.0, 0.008))
    size = float(rng.normal(1.0, 0.04))
    stretch = float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15))
    contact = float(rng.uniform(0.68, 0.8) if crowding else rng.normal(0.905, 0.025))
    loss = float(rng.choice([0.0, 0.03, 0.12, 0.35], p=[0.45, 0.3, 0.17, 0.08]))
    young = rng.random() < 0.08
    teeth: list[Tooth] = []
    gaps: list[Tooth] = []
    for quadrant in "1234":
        upper = quadrant in "12"
        side = -1.0 if quadrant in "14" else 1.0
        table = UPPER if upper else LOWER
        edge = 0.0
        for position in range(1, 9):
            mean_width, mean_length, mean_tilt, mean_y = table[position - 1]
            width = 1.03 * mean_width * size * float(np.clip(rng.normal(1, 0.05), 0.85, 1.18))
            length = 0.98 * mean_length * size * stretch * float(np.clip(rng.normal(1, 0.06), 0.78, 1.25))
            tilt = mean_tilt + rng.normal(0, 10 if position == 8 else 7 if crowding else 3.5)
            x = edge + width * contact / 2
            edge += width * contact
            y = mean_y + smile * (x**2 - 0.08) + rng.normal(0, 0.012 if crowding else 0.006)
            y += (-gape if upper else gape) - (0.006 if upper else -0.004)
            germ, growth = False, 1.0
            if position == 8:
                x -= 0.022
                fate = rng.random()
                if fate < 0.3 and not upper:
                    tilt += rng.uniform(15, 60)
                    y += rng.uniform(0.0, 0.05)
                    x += 0.012
                elif fate < 0.3:
                    tilt += rng.uniform(-45, 20)
                    y -= rng.uniform(0.0, 0.09)
                if young or rng.random() < 0.2:
                    germ, growth = True, float(rng.uniform(0.05, 0.6))
                    y += -0.06 if upper else 0.03
            elif young and position in (3, 4, 5, 7) and rng.random() < 0.6:
                germ, growth = True, float(rng.uniform(0.3, 0.9))
                y += (-1 if upper else 1) * rng.uniform(0.0, 0.09)
                tilt += rng.normal(0, 10)
            shape = tooth_shape(rng, position, upper, growth)
            tooth = Tooth(
                f"{quadrant}{position}",
                side * x,
                float(y),
                float(np.deg2rad(tilt)),
                width,
                length,
                shape,
                germ,
            )
            likely = 0.3 if position == 8 else loss * (2.0 if position in (4, 5, 6, 7) else 0.6)
            (gaps if rng.random() < likely else teeth).append(tooth)
    if not teeth:
        teeth.append(gaps.pop())
    return Dentition(teeth, gaps, smile, gape)
