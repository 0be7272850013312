"""What a phantom is made of: the image, its objects and the geometry they are drawn in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentasam.model.chart.dentition import mirrored

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
# Half the width of the front teeth, in panoramic heights.
_FRONT = 0.16


@dataclass(frozen=True)
class PhantomObject:
    """One annotated structure: its category (an FDI number for a tooth) and its mask (H, W) bool."""

    category: str
    mask: Mask


@dataclass(frozen=True)
class Phantom:
    """A synthetic panoramic X-ray: image (H, W) uint8, its objects (they may overlap) and its tags."""

    image: NDArray[np.uint8]
    objects: list[PhantomObject]
    tags: tuple[str, ...]

    def mirrored(self) -> "Phantom":
        """The mirror image, with every FDI number that of the other side: as right as the phantom itself."""
        objects = [PhantomObject(mirrored(o.category), np.ascontiguousarray(o.mask[:, ::-1])) for o in self.objects]
        return Phantom(np.ascontiguousarray(self.image[:, ::-1]), objects, self.tags)


@dataclass(frozen=True)
class Geometry:
    """Where the head lies in the image.

    Lengths of the anatomy are given in `unit` pixels, the height of a panoramic; x is counted from the
    midline, y from the top of the panoramic. `zoom` is about the occlusal plane, `turn` in radians. How the head
    was placed in the device bends what it shows: `bow` lowers the sides against the middle (a frown; below 0 a
    smile), `front` widens the front teeth, `slant` widens the image's right half at the cost of the left.
    """

    height: int
    width: int
    unit: float
    midline: float
    top: float
    zoom: float
    turn: float
    squeeze: float
    bow: float = 0.0
    front: float = 0.0
    slant: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int, width: int) -> "Geometry":
        unit = min(float(height), width / 1.6)
        squeeze = float(np.clip(np.sqrt(width / unit / 1.766), 0.95, 1.08))
        return cls(
            height=height,
            width=width,
            unit=unit,
            midline=width / 2 + unit * rng.normal(0.008, 0.02),
            top=(height - unit) / 2 + unit * rng.normal(0.0, 0.03),
            zoom=float(np.clip(rng.normal(1.0, 0.06), 0.82, 1.2)),
            turn=float(np.clip(rng.normal(0, 0.02), -0.06, 0.06)),
            squeeze=squeeze,
        )

    @property
    def pixel(self) -> float:
        """How many pixels one pixel of a 512-line panoramic takes."""
        return self.unit / 512

    def to_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Anatomy coordinates (..., 2) to image pixels (..., 2)."""
        x = self._widened(points[..., 0]) * self.squeeze * self.zoom
        y = (points[..., 1] + self._lowered(points[..., 0]) - 0.53) * self.zoom
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.stack(
            [
                self.midline + self.unit * (cos * x - sin * y),
                self.top + self.unit * (0.53 + sin * x + cos * y),
            ],
            axis=-1,
        )

    def grid(self, step: int) -> tuple[FloatImage, FloatImage]:
        """Anatomy coordinates x, y of every `step`-th pixel, each (ceil(H/step), ceil(W/step))."""
        rows = np.arange(0, self.height, step, dtype=np.float32)[:, None] + (step - 1) / 2
        columns = np.arange(0, self.width, step, dtype=np.float32)[None, :] + (step - 1) / 2
        u = (columns - self.midline) / self.unit
        v = (rows - self.top) / self.unit - 0.53
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        x = (cos * u + sin * v) / (self.squeeze * self.zoom)
        y = 0.53 + (cos * v - sin * u) / self.zoom
        if self.front or self.slant:
            knots = np.linspace(-2, 2, 801)
            x = np.interp(x, self._widened(knots), knots)
        y = y - self._lowered(x)
        return x.astype(np.float32), y.astype(np.float32)

    def _widened(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """x after the widening of the front and of one half; it grows with x for the values that layouts have."""
        if not (self.front or self.slant):
            return x
        half = np.clip(x, -1, 1)
        return x + self.front * _FRONT * np.tanh(x / _FRONT) + self.slant * half * half

    def _lowered(self, x: NDArray[Any]) -> NDArray[Any] | float:
        return self.bow * (np.clip(x, -0.8, 0.8) ** 2 - 0.08) if self.bow else 0.0
