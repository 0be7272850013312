"""Random variations that a panoramic could have: mirrored, slightly rotated and scaled, exposed differently.

The caller seeds the generator by epoch and image, so that a resumed run sees the same variations. Image and masks
move together (kornia does the arithmetic); what changes gray values alone is in `exposure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from kornia.geometry.transform import get_rotation_matrix2d, warp_affine
from torch import Tensor

from dentasam.model.chart.dentition import mirrored
from dentasam.training.recipe.sections import Augmentation
from dentasam.training.samples.exposure import Exposure, draw_exposure, exposed, processed


@dataclass(frozen=True)
class Variation:
    """One drawn variation. The default changes nothing."""

    flip: bool = False
    angle: float = 0.0  # degrees, counter-clockwise
    scale: float = 1.0
    exposure: Exposure = field(default_factory=Exposure)

    @property
    def moves_pixels(self) -> bool:
        return self.angle != 0.0 or self.scale != 1.0


UNCHANGED = Variation()


def draw(settings: Augmentation, rng: np.random.Generator) -> Variation:
    """A variation within the recipe's ranges; the logarithms of factors are drawn uniformly."""

    def factor(spread: float) -> float:
        return float(np.exp(rng.uniform(-1, 1) * np.log1p(spread)))

    return Variation(
        flip=bool(rng.random() < settings.flip),
        angle=float(rng.uniform(-1, 1)) * settings.rotation_deg,
        scale=factor(settings.scale),
        exposure=draw_exposure(settings, rng),
    )


def vary_image(gray: Tensor, variation: Variation) -> Tensor:
    """Gray values (h, w) in 0..255 at frame size, varied; same shape and range."""
    image = torch.from_numpy(processed(gray.numpy(), variation.exposure))[None, None]  # (1, 1, h, w)
    if variation.flip:
        image = image.flip(-1)
    image = _moved(image, variation, (gray.shape[0], gray.shape[1]))
    return torch.from_numpy(exposed(image[0, 0].numpy(), variation.exposure))


def vary_masks(coverage: Tensor, variation: Variation, size: tuple[int, int]) -> Tensor:
    """Coverage (P, h / s, w / s) of masks over an image of `size` (h, w), moved like the image."""
    if variation.flip:
        coverage = coverage.flip(-1)
    return _moved(coverage[None], variation, size)[0]


def vary_category(category: str, variation: Variation) -> str:
    """The tooth's FDI number in the varied image; any other category stays as it is."""
    return mirrored(category) if variation.flip else category


def _moved(planes: Tensor, variation: Variation, size: tuple[int, int]) -> Tensor:
    """Rotate and scale planes (1, C, h', w') about the centre of the image of `size` that they cover."""
    if not variation.moves_pixels or 0 in planes.shape:
        return planes
    stride = max(1, round(size[0] / planes.shape[-2])), max(1, round(size[1] / planes.shape[-1]))
    centre = torch.tensor([[(size[1] / stride[1] - 1) / 2, (size[0] / stride[0] - 1) / 2]])
    matrix = get_rotation_matrix2d(
        centre, torch.tensor([float(variation.angle)]), torch.full((1, 2), float(variation.scale))
    )
    return warp_affine(planes, matrix, (planes.shape[-2], planes.shape[-1]), padding_mode="zeros")
