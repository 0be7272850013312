"""The head around the teeth: jaws, sinuses, nose, palate, spine shadow and air, in grey levels 0..255."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.phantom.dentition.tooth import Dentition
from dentasam.data.phantom.scene import FloatImage, Geometry
from dentasam.data.phantom.texture import band_noise, smooth_noise, stripes

STEP = 2  # everything here is blurry: half the lines are enough


def _step(value: NDArray[np.floating[Any]], soft: float) -> FloatImage:
    """Smooth 0..1 step of `value` at 0, about `soft` wide."""
    t = np.clip(value * np.float32(0.5 / soft) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _bump(value: NDArray[np.floating[Any]], soft: float) -> FloatImage:
    """Smooth ridge, 1 where `value` is 0 and 0 beyond `soft`."""
    t = np.clip(1 - np.square(value * np.float32(1 / soft)), 0, 1)
    return np.asarray(t * t, np.float32)


def mandible_border(rng: np.random.Generator) -> tuple[float, float, float]:
    """Depth of the chin, rise of the lower border and its power."""
    return float(rng.normal(0.93, 0.03)), float(rng.normal(0.25, 0.06)), float(rng.uniform(1.5, 2.6))


def bone_plates(rng: np.random.Generator, geometry: Geometry, height: int, width: int) -> FloatImage:
    """Other structures in the beam: faint plates and lines, denser above the palate (half the lines)."""
    pixel = geometry.pixel / STEP
    total = np.zeros((height, width), np.float32)
    for soft in (0.8, 2.5):
        layer = np.zeros((height, width), np.float32)
        for _ in range(int(rng.integers(6, 16))):
            centre = np.array([rng.uniform(0, width), height * rng.beta(0.8, 1.6)])
            turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
            size = rng.uniform(15, 110, 2) * pixel
            radius = 1 + 0.3 * np.cos(2 * turn + rng.uniform(0, 6.3)) + 0.2 * np.cos(3 * turn + rng.uniform(0, 6.3))
            outline = centre + np.stack([size[0] * radius * np.cos(turn), size[1] * radius * np.sin(turn)], 1)
            points = [np.round(outline * 16).astype(np.int32)]
            canvas = np.zeros((height, width), np.uint8)
            high = 1.4 if centre[1] < 0.3 * height else 0.7
            if rng.random() < 0.45:
                part = points[0][: int(rng.integers(6, 20))]
                cv2.polylines(canvas, [part], False, 255, int(rng.integers(1, 4)), cv2.LINE_AA, 4)
                strength = rng.uniform(3, 20)
            else:
                cv2.fillPoly(canvas, points, 255, cv2.LINE_AA, 4)
                strength = rng.normal(0, 6)
            cv2.scaleAdd(canvas.astype(np.float32), high * strength / 255, layer, layer)
        total += cv2.GaussianBlur(layer, (0, 0), soft * pixel * rng.uniform(0.8, 2.0))
    return total


def draw_head(rng: np.random.Generator, geometry: Geometry, dentition: Dentition) -> FloatImage:
    """The image (H, W) without its teeth."""
    x, y = geometry.grid(STEP)
    height, width = x.shape
    pixel = geometry.pixel / STEP
    warp = smooth_noise(rng, height, width, 70 * pixel)
    x = x + np.float32(0.004) * warp
    y = y + np.float32(0.004) * smooth_noise(rng, height, width, 75 * pixel)
    a = np.abs(x)
    side = np.sign(x)
    level = np.float32(rng.normal(108, 5))
    image = np.full((height, width), level, np.float32)
    image += np.float32(rng.uniform(4, 9)) * smooth_noise(rng, height, width, 110 * pixel)
    image += np.float32(rng.uniform(2, 5)) * smooth_noise(rng, height, width, 28 * pixel)

    chin, rise, power = mandible_border(rng)
    chin -= 0.07 * dentition.youth
    border = chin - rise * (a / np.float32(0.75)) ** np.float32(power)
    depth = border - y  # positive inside the mandible
    below = _step(-depth, 0.02)
    dark = rng.uniform(28, 62)
    image -= below * np.float32(dark * 0.55)
    image -= _step(y - border - np.float32(0.1), 0.22) * np.float32(dark * 0.75) * _step(a - 0.15, 0.3)
    rim = rng.uniform(12, 34)
    image += _bump(depth - np.float32(0.014), 0.016) * np.float32(rim) * (0.4 + 0.6 * _step(a - 0.2, 0.3))
    body = _step(depth, 0.02)
    image += body * _step(y - np.float32(0.62), 0.12) * np.float32(rng.uniform(0, 14))

    ramus_in, ramus_out = rng.normal(0.64, 0.03), rng.normal(0.86, 0.03)
    lean = np.float32(0.25) * (y - np.float32(0.5))
    upper_part = _step(np.float32(0.62) - y, 0.2)
    image += upper_part * _step(a + lean - np.float32(ramus_in), 0.04) * np.float32(rng.uniform(4, 16))
    image += upper_part * _bump(a + lean - np.float32(ramus_in), 0.014) * np.float32(rng.uniform(4, 22))
    image -= upper_part * _step(a + lean * 0.3 - np.float32(ramus_out), 0.03) * np.float32(rng.uniform(20, 50))
    throat = _bump(a - np.float32(rng.normal(0.62, 0.03)) + np.float32(0.35) * (y - np.float32(0.45)), 0.1)
    image -= throat * _bump(y - np.float32(0.48), 0.22) * np.float32(rng.uniform(10, 42))

    # open space between the arches, behind the lips and the cheeks
    smile = np.float32(dentition.smile) * (x * x - np.float32(0.08))
    bite = np.float32(0.548) - np.float32(0.18) * np.square(a) + smile
    reach = _step(np.float32(rng.normal(0.6, 0.03)) - a, 0.08)
    crest = rng.uniform(0.055, 0.085)
    half_gap = np.float32(crest) + np.float32(0.008) * warp
    knots = np.linspace(-0.8, 0.8, 161)
    for upper in (True, False):  # bone shrinks where teeth were lost
        lost = np.zeros_like(knots)
        for place in dentition.gaps:
            if place.upper == upper and place.position < 8:
                lost += np.exp(-np.square((knots - place.x) / (0.6 * place.width)))
        if lost.any():
            depth_lost = np.clip(lost, 0, 1) * rng.uniform(0.0, 0.06)
            at = np.interp(x.ravel(), knots, depth_lost).reshape(x.shape).astype(np.float32)
            half_gap += at * ((y < bite) == upper)
    image -= reach * _step(half_gap - np.abs(y - bite), 0.045) * np.float32(rng.uniform(18, 36))
    image -= reach * _bump(y - bite, 0.045 + dentition.gape) * np.float32(rng.uniform(10, 30))
    alveolar = reach * _step(np.float32(0.26) - np.abs(y - bite), 0.06) * _step(np.abs(y - bite) - half_gap, 0.03)
    image -= alveolar * (np.float32(rng.uniform(2, 24)) + np.float32(rng.uniform(4, 18)) * (y > bite))

    palate_y = np.float32(rng.normal(0.23, 0.03)) + np.float32(rng.normal(0.12, 0.08)) * x * x
    span = _step(np.float32(rng.normal(0.5, 0.05)) - a, 0.08)
    image += span * _bump(y - palate_y, rng.uniform(0.012, 0.03)) * np.float32(rng.uniform(10, 50))
    image += span * _bump(y - palate_y + np.float32(0.03), 0.05) * np.float32(rng.uniform(0, 15))
    air = rng.uniform(0.03, 0.07)
    image -= span * _bump(y - palate_y - np.float32(air + 0.015), air) * np.float32(rng.uniform(0, 45))
    above = _step(palate_y - np.float32(0.02) - y, 0.04)
    sinus = np.square((a - np.float32(0.33)) / np.float32(0.22)) + np.square((y - np.float32(0.1)) / np.float32(0.13))
    image -= above * _step(1 - sinus, 0.5) * np.float32(rng.uniform(8, 35))
    image += _bump(sinus - 1, 0.25) * np.float32(rng.uniform(0, 18)) * above
    nose = np.square((a - np.float32(0.055)) / np.float32(0.045)) + np.square(y - np.float32(0.08)) / np.float32(
        0.015
    )
    image -= above * _step(1 - nose, 0.7) * np.float32(rng.uniform(15, 45))
    image += above * _bump(x, 0.018) * np.float32(rng.uniform(5, 30))
    wall = rng.normal(0.46, 0.03)
    image += above * _bump(a - np.float32(wall) - np.float32(0.1) * y, 0.01) * np.float32(rng.uniform(5, 40))
    corner = _step(a - np.float32(0.5), 0.25) * _step(np.float32(0.26) - y, 0.16)
    image += corner * np.float32(rng.uniform(5, 45)) * (1 + 0.22 * smooth_noise(rng, height, width, 34 * pixel))
    condyle = np.square((a - np.float32(0.79)) / np.float32(0.06)) + np.square(
        (y - np.float32(0.14)) / np.float32(0.07)
    )
    image += _step(1 - condyle, 0.6) * np.float32(rng.uniform(0, 22))

    # the spine and the far jaw, out of focus
    image += (
        _bump(x, rng.uniform(0.1, 0.22))
        * _step(y - np.float32(rng.uniform(0.65, 0.9)), 0.25)
        * np.float32(rng.uniform(5, 45))
    )
    image += stripes(rng, width, height, 6 * pixel, 12).T * _bump(x, 0.3) * np.float32(rng.uniform(1, 4))
    image += stripes(rng, height, width, 7 * pixel, 22) * np.float32(rng.uniform(1, 3.5))
    image -= _bump(x, 0.28) * _bump(y - np.float32(0.4), 0.2) * np.float32(rng.uniform(0, 22))
    image += bone_plates(rng, geometry, height, width)
    if rng.random() < 0.75:  # the bite block
        block = _step(np.float32(rng.uniform(0.03, 0.055)) - np.abs(x), 0.008)
        block = block * _step(np.float32(rng.uniform(0.03, 0.06)) - np.abs(y - bite), 0.01)
        image += block * (np.float32(rng.uniform(8, 32)) + stripes(rng, height, width, 4 * pixel, 30) * 5)
    ghost = _step(y - np.float32(rng.uniform(0.58, 0.75)) - np.float32(0.06) * side * x, 0.02)
    image += ghost * _step(a - np.float32(0.2), 0.2) * np.float32(rng.uniform(0, 9)) * body
    if rng.random() < 0.4:  # hyoid
        hyoid = np.square((a - np.float32(rng.normal(0.72, 0.05))) / np.float32(0.08)) + np.square(
            (y - np.float32(rng.normal(0.9, 0.03))) / np.float32(0.03)
        )
        image += _bump(hyoid - np.float32(rng.uniform(0.2, 1)) + 0.3 * warp, rng.uniform(0.4, 1)) * np.float32(
            rng.uniform(5, 40)
        )
    if rng.random() < 0.7:  # mandibular canal
        course = np.float32(rng.normal(0.8, 0.015)) - np.float32(0.5) * np.square(np.clip(a - 0.15, 0, 1))
        seen = _step(a - np.float32(0.25), 0.1) * body * np.float32(rng.uniform(4, 12))
        image -= seen * _bump(y - course, 0.014)
        image += (
            seen * 0.6 * (_bump(y - course - np.float32(0.016), 0.006) + _bump(y - course + np.float32(0.016), 0.006))
        )

    full = cv2.resize(image, (geometry.width, geometry.height), interpolation=cv2.INTER_CUBIC)
    bone = cv2.resize(np.clip(0.25 + body * _step(y - np.float32(0.3), 0.2), 0, 1), (geometry.width, geometry.height))
    mesh = band_noise(rng, geometry.height, geometry.width, rng.uniform(2.2, 4.0) * geometry.pixel)
    mesh += 0.7 * band_noise(rng, geometry.height, geometry.width, rng.uniform(5, 8) * geometry.pixel)
    return np.asarray(full + bone * mesh * np.float32(rng.uniform(1.0, 3.6)), np.float32)
