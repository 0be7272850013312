"""The conditions that make a radiograph a bad case, and the final processing of every radiograph."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.phantom.rendering import Metal
from dentasam.data.phantom.scene import FloatImage, Geometry
from dentasam.data.phantom.texture import smooth_noise, stripes

CONDITIONS = ("blurred", "ambiguous-boundary", "overlap", "artifact")


def apply_metal(rng: np.random.Generator, image: FloatImage, metal: Metal, geometry: Geometry, heavy: bool) -> None:
    """Put the metal into the image; `heavy` adds bloom, dark shadows and a ghost on the other side."""
    small = cv2.resize(metal.coverage, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    if float(small.max()) > 0:
        bloom = cv2.GaussianBlur(small, (0, 0), 3.0 * geometry.pixel * (1.6 if heavy else 1.0))
        shadow = cv2.GaussianBlur(small, (0, 0), sigmaX=14 * geometry.pixel, sigmaY=1.2 * geometry.pixel)
        size = (geometry.width, geometry.height)
        image += cv2.resize(bloom, size) * np.float32(30 if heavy else 8)
        image -= cv2.resize(shadow, size) * np.float32(60 if heavy else 14)
    if heavy:
        ghost = cv2.GaussianBlur(small[:, ::-1], (0, 0), sigmaX=8 * geometry.pixel, sigmaY=2 * geometry.pixel)
        lift = -int(0.12 * geometry.unit / 4)
        ghost = np.roll(ghost, lift, axis=0)
        image += cv2.resize(ghost, (geometry.width, geometry.height)) * np.float32(rng.uniform(50, 100))
    level = np.float32(metal.level)
    image *= 1 - metal.coverage
    image += metal.coverage * level


def streaks(rng: np.random.Generator, image: FloatImage, geometry: Geometry) -> None:
    """Bright and dark smears: motion steps, a necklace's or an earring's ghost, scratches."""
    height, width = geometry.height, geometry.width
    image += stripes(rng, height, width, 4 * geometry.pixel, 40) * np.float32(rng.uniform(2, 6))
    canvas = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(2, 5))):
        centre = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.2, 0.9) * height))
        axes = (int(rng.uniform(0.03, 0.2) * width), int(rng.uniform(0.006, 0.03) * height) + 1)
        cv2.ellipse(canvas, centre, axes, rng.uniform(-20, 20), 0, 360, int(rng.integers(120, 255)), -1)
    image += cv2.GaussianBlur(canvas, (0, 0), 4 * geometry.pixel).astype(np.float32) * np.float32(0.25)
    if rng.random() < 0.6:
        column = int(rng.uniform(0.15, 0.85) * width)
        band = max(2, int(rng.uniform(0.01, 0.05) * width))
        image[:, column : column + band] += np.float32(rng.choice([-1, 1]) * rng.uniform(12, 30))


def blur(rng: np.random.Generator, image: FloatImage, geometry: Geometry) -> FloatImage:
    """Patient motion and a missed focal trough."""
    sigma = rng.uniform(2.0, 3.6) * geometry.pixel
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sigma * rng.uniform(1, 1.6), sigmaY=sigma), np.float32)


def marker(rng: np.random.Generator, image: FloatImage, geometry: Geometry) -> None:
    """The lead letter that marks the side."""
    letter = "L" if rng.random() < 0.5 else "R"
    x = geometry.width * (rng.uniform(0.9, 0.95) if letter == "L" else rng.uniform(0.02, 0.06))
    y = geometry.height * rng.uniform(0.1, 0.95)
    canvas = np.zeros(image.shape, np.uint8)
    cv2.putText(
        canvas,
        letter,
        (int(x), int(y)),
        cv2.FONT_HERSHEY_SIMPLEX,
        1.1 * geometry.pixel,
        255,
        max(1, round(2 * geometry.pixel)),
        cv2.LINE_AA,
    )
    image += canvas.astype(np.float32) * np.float32(rng.uniform(0.4, 0.7))


def develop(rng: np.random.Generator, image: FloatImage, geometry: Geometry, sharp: bool) -> NDArray[np.uint8]:
    """Vignette, detector blur and grain, tone curve, and the traces of JPEG: (H, W) float to uint8."""
    height, width = image.shape
    x: FloatImage = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y: FloatImage = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    image = np.asarray(image - np.float32(rng.uniform(0, 16)) * (x**4 + np.float32(0.5) * y**4), np.float32)
    image += np.float32(rng.normal(0, 5)) * x
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), geometry.pixel * rng.uniform(0.45, 0.9)), np.float32)
    if sharp and rng.random() < 0.5:  # the manufacturer's edge enhancement
        base = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        base = cv2.resize(cv2.GaussianBlur(base, (0, 0), 1.5), (width, height))
        image = image + np.float32(rng.uniform(0.1, 0.6)) * (image - base)
    image += smooth_noise(rng, height, width, 1.6 * geometry.pixel) * np.float32(rng.uniform(0.8, 2.6))
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.5, 2.0))
    image -= (cv2.mean(image)[0] - np.float32(rng.normal(97, 6))) * np.float32(0.75)
    values = np.clip(image, 0, 255).astype(np.uint8)
    tone = np.arange(256) / 255
    gamma = float(np.exp(rng.normal(0.0, 0.12)))
    contrast = float(np.clip(rng.normal(1.07, 0.12), 0.75, 1.45))
    curve = (tone**gamma - 0.4**gamma) * contrast + rng.normal(0.4, 0.03)
    values = np.asarray(cv2.LUT(values, np.clip(curve * 255, 0, 255).astype(np.uint8)), np.uint8)
    if rng.random() < 0.7:
        _, coded = cv2.imencode(".jpg", values, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])
        values = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return values
