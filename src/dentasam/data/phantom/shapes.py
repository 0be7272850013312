"""Images of random shapes, on which a model learns what a click means before it sees anatomy."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.phantom.conditions import develop
from dentasam.data.phantom.scene import FloatImage, Geometry, Mask, Phantom, PhantomObject
from dentasam.data.phantom.texture import band_noise, smooth_noise, stripes

Points = NDArray[np.float64]


def _outline(rng: np.random.Generator, size: float) -> tuple[list[Points], bool]:
    """Polygons about the origin, `size` pixels across; True where the second one is a hole."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    kind = rng.choice(["blob", "ellipse", "polygon", "ring", "long", "fork"], p=[0.28, 0.16, 0.16, 0.1, 0.18, 0.12])
    if kind == "polygon":
        corners = int(rng.integers(3, 8))
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radius = size / 2 * rng.uniform(0.5, 1.0, corners)
        return [np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)], False
    if kind == "long":
        t = np.linspace(-1, 1, 24)
        bend = rng.normal(0, 0.25) * size
        centre = np.stack([t * size / 2 * 1.4, bend * (t**2 - 0.3) + rng.normal(0, 0.1) * size * t**3], 1)
        half = size * rng.uniform(0.06, 0.16) * (1 - rng.uniform(0, 0.8) * (t + 1) / 2) * np.sqrt(1.001 - t**8)
        side = np.stack([np.zeros_like(half), half], 1)
        return [np.concatenate([centre - side, (centre + side)[::-1]])], False
    if kind == "fork":
        wide = size * 0.3
        prong = size * rng.uniform(0.1, 0.16)
        deep = size * rng.uniform(0.0, 0.3)
        spread = rng.uniform(0.8, 1.3)
        points = [
            [-wide, -size / 2],
            [wide, -size / 2],
            [wide * 1.1, 0],
            [wide * spread, size / 2],
            [wide * spread - prong, size / 2],
            [0, deep],
            [-wide * spread + prong, size / 2],
            [-wide * spread, size / 2],
            [-wide * 1.1, 0],
        ]
        return [np.array(points, np.float64)], False
    radius = np.full(48, size / 2)
    if kind == "blob":
        for order in range(2, 6):
            radius = radius * (1 + rng.normal(0, 0.3 / order) * np.cos(order * turn + rng.uniform(0, 6.3)))
    squash = rng.uniform(0.4, 1.0)
    outer = np.stack([radius * np.cos(turn), radius * squash * np.sin(turn)], 1)
    if kind == "ring":
        return [outer, outer * rng.uniform(0.45, 0.8)], True
    return [outer], False


def _texture(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    kind = rng.random()
    if kind < 0.4:
        return np.zeros((height, width), np.float32)
    if kind < 0.65:
        return smooth_noise(rng, height, width, rng.uniform(3, 25))
    if kind < 0.85:
        return band_noise(rng, height, width, rng.uniform(2, 6))
    return stripes(rng, height, width, rng.uniform(3, 8), rng.uniform(2, 12))


def generate_shapes(seed: int, width: int = 1024, height: int = 512) -> Phantom:
    """10 to 40 shapes of category "shape", some over others; attenuation adds up as in an X-ray."""
    rng = np.random.default_rng([seed, 12])
    pixel = min(height, width / 1.6) / 512
    image = np.full((height, width), rng.uniform(50, 130), np.float32)
    image += np.float32(rng.uniform(3, 25)) * smooth_noise(rng, height, width, rng.uniform(80, 250) * pixel)
    image += np.float32(rng.uniform(1, 10)) * smooth_noise(rng, height, width, rng.uniform(10, 60) * pixel)
    image += np.float32(rng.uniform(0, 5)) * band_noise(rng, height, width, rng.uniform(2, 6) * pixel)
    slope = rng.normal(0, 15, 2).astype(np.float32)
    image += slope[0] * np.linspace(-1, 1, width, dtype=np.float32)[None]
    image += slope[1] * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    masks: list[Mask] = []
    wanted = int(rng.integers(10, 41))
    for _ in range(3 * wanted):  # some fall outside
        masks = [m for m in masks if np.count_nonzero(m) >= 60]
        if len(masks) >= wanted:
            break
        size = float(np.exp(rng.uniform(np.log(24), np.log(150)))) * pixel
        polygons, hollow = _outline(rng, size)
        angle = rng.uniform(0, 2 * np.pi)
        rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = np.array([rng.uniform(0.03, 0.97) * width, rng.uniform(0.05, 0.95) * height])
        placed = [np.round((p @ rotation + centre) * 16).astype(np.int32) for p in polygons]
        canvas = np.zeros((height, width), np.uint8)
        cv2.fillPoly(canvas, placed[:1], 255, shift=4)
        if hollow:
            cv2.fillPoly(canvas, placed[1:], 0, shift=4)
        left, top, w, h = cv2.boundingRect(placed[0] // 16)
        margin = int(6 * pixel) + 2
        rows = slice(max(0, top - margin), min(height, top + h + margin))
        columns = slice(max(0, left - margin), min(width, left + w + margin))
        window = canvas[rows, columns]
        if window.size == 0 or np.count_nonzero(window) < 60:
            continue
        inside = (window > 0).astype(np.float32)
        depth = cv2.distanceTransform(window, cv2.DIST_L2, 3)
        peak = max(float(depth.max()), 1.0)
        contrast = rng.choice([-1.0, 1.0], p=[0.3, 0.7]) * rng.uniform(14, 75)
        thickness = rng.choice([0.0, 0.5, 1.0])
        value = inside * contrast * ((1 - 0.6 * thickness) + 0.6 * thickness * np.sqrt(depth / peak))
        value += inside * _texture(rng, *window.shape) * np.float32(rng.uniform(2, 10))
        if rng.random() < 0.3:  # a rim of its own grey, as a cortex or enamel
            rim = rng.uniform(1.5, 5) * pixel
            value += inside * np.clip(1 - depth / rim, 0, 1) * np.float32(rng.normal(0, 35))
        image[rows, columns] += cv2.GaussianBlur(
            np.asarray(value, np.float32), (0, 0), float(rng.choice([0.5, 0.8, 1.4, 2.4])) * pixel
        )
        mask = canvas > 0
        if rng.random() < 0.25:  # opaque: hides what lies beneath, which loses that part
            masks = [m & ~mask for m in masks]
            image[rows, columns] = np.where(
                window > 0, 0.35 * image[rows, columns] + 0.65 * (90 + value), image[rows, columns]
            )
        masks.append(mask)
    geometry = Geometry(height, width, min(height, width / 1.6), width / 2, 0.0, 1.0, 0.0, 1.0)
    values = develop(rng, image, geometry, sharp=True)
    objects = [PhantomObject("shape", m) for m in masks if np.count_nonzero(m) >= 60]
    return Phantom(values, objects, ())
