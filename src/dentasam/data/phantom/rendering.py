"""Teeth, restorations, implants and wires, added to the head's grey levels."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.phantom.anatomy import Points, fill
from dentasam.data.phantom.dentition.tooth import Tooth
from dentasam.data.phantom.scene import FloatImage, Geometry, Mask, PhantomObject

Window = tuple[slice, slice]
BRIDGE = "bridge"


@dataclass(frozen=True)
class Look:
    """How strongly the parts of teeth show, in grey levels; one draw for a whole image."""

    dentine: float
    enamel: float
    pulp: float
    ligament: float
    lamina: float
    front: float
    edge: float
    junction: float
    root_fade: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Look":
        return cls(
            dentine=rng.uniform(22, 42),
            enamel=rng.uniform(20, 47),
            pulp=rng.uniform(10, 28),
            ligament=rng.uniform(1, 11),
            lamina=rng.uniform(3, 13),
            front=rng.uniform(0.4, 0.85),
            edge=rng.uniform(0.2, 0.55),
            junction=rng.uniform(1.2, 4.5),
            root_fade=rng.uniform(0.0, 0.35),
        )


def settle(arch: FloatImage) -> FloatImage:
    """Attenuation of overlapping teeth adds up less and less, as in the logarithm of the detector."""
    knee, span = np.float32(62), np.float32(85)
    over = np.maximum(arch - knee, 0)
    return np.asarray(np.minimum(arch, knee) + span * (1 - np.exp(-over / span)), np.float32)


@dataclass
class Metal:
    """Dense objects, drawn last: coverage (H, W) in 0..1 and their gray level."""

    coverage: FloatImage
    level: float


def window_of(points: Points, geometry: Geometry, margin: float) -> Window | None:
    """Rows and columns around pixel points; None where they lie outside the image."""
    low = np.floor(points.min(0) - margin).astype(int)
    high = np.ceil(points.max(0) + margin).astype(int) + 1
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(geometry.width, int(high[0])), min(geometry.height, int(high[1]))
    if right - left < 4 or bottom - top < 4:
        return None
    return slice(top, bottom), slice(left, right)


def paint(window: Window, polygons: list[Points]) -> NDArray[np.uint8]:
    """Pixel polygons as 0/255 inside a window."""
    canvas = np.zeros((window[0].stop - window[0].start, window[1].stop - window[1].start), np.uint8)
    fill(canvas, polygons, (window[1].start, window[0].start))
    return canvas


def _soft(mask: NDArray[Any], sigma: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(sigma, 0.3)) / 255, np.float32)


def draw_tooth(
    rng: np.random.Generator, image: FloatImage, tooth: Tooth, geometry: Geometry, look: Look
) -> Mask | None:
    """Add a tooth to the image; its full outline (H, W) bool, or None where it lies outside."""
    pixel = geometry.pixel * geometry.zoom
    pieces = [tooth.pixels(piece, geometry) for piece in tooth.shape.pieces]
    window = window_of(np.concatenate(pieces), geometry, 8 * pixel)
    if window is None:
        return None
    body = paint(window, pieces)
    if np.count_nonzero(body) < 40 * pixel * pixel:
        return None
    near = float(np.clip(1.45 - abs(tooth.x) / 0.22, 0, 1))  # the narrow focal trough and the thin front teeth
    gain = (1.0 - (1.0 - look.front) * near) * float(np.clip(rng.normal(1, 0.08), 0.75, 1.25))
    crown = paint(window, [tooth.pixels(tooth.shape.crown, geometry)])
    dentine = paint(window, [tooth.pixels(tooth.shape.dentine, geometry)])
    pulp = paint(window, [tooth.pixels(p, geometry) for p in tooth.shape.chamber + tooth.shape.canals])

    depth = cv2.distanceTransform(body, cv2.DIST_L2, 3)
    thick = 0.32 * tooth.width * geometry.unit * geometry.zoom
    round_body = np.sqrt(np.clip(depth / thick, 0, 1))
    solid = body > 0
    profile = solid * (look.edge + (1 - look.edge) * round_body)
    sharp = pixel * rng.uniform(0.5, 1.1 + 0.7 * near)
    neck_y = float(tooth.pixels(np.array([[0.0, tooth.shape.neck]]), geometry)[0, 1])
    apex_y = float(tooth.pixels(np.array([[0.0, 1.0]]), geometry)[0, 1])
    rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    along = np.clip((rows - neck_y) / (apex_y - neck_y if abs(apex_y - neck_y) > 1 else 1.0), -1, 1)
    rooted = np.clip(along * 4, 0, 1)
    vague = min(1.0, look.root_fade * rng.uniform(0.4, 1.2)) if look.root_fade < 0.5 else look.root_fade
    fade = 1 - vague * np.clip(along * 1.3, 0, 1)
    value = profile * (look.dentine * (1 - 0.35 * np.clip(along, 0, 1)) * fade)
    value += 0.2 * look.dentine * profile * np.clip(0.5 - along, 0, 1)
    value = cv2.GaussianBlur(value.astype(np.float32), (0, 0), sharp)
    # crowns stand in the open space, so the bone's share is missing behind them
    blurred_body = _soft(body, sharp)
    value += blurred_body * (np.clip(0.75 - along * 2.2, 0, 1) * 20)
    value -= blurred_body * (np.exp(-np.square(along / 0.16)) * rng.uniform(0, 10))
    enamel = cv2.subtract(crown, dentine)
    high = np.clip(0.35 - along * 1.3, 0, 1) * (1.35 - 0.85 * near)
    cap = _soft(enamel, look.junction * pixel) + 0.3 * _soft(crown, 3 * sharp)
    value += cap * blurred_body * high * look.enamel
    value -= _soft(cv2.bitwise_and(pulp, body), 1.4 * sharp) * look.pulp * rng.uniform(0.5, 1.2) * (0.4 + 0.6 * fade)

    outside = cv2.distanceTransform(255 - body, cv2.DIST_L2, 3) / pixel
    width = rng.uniform(1.2, 2.4)
    ligament = np.clip(1 - np.abs(outside - width) / width, 0, 1) * (~solid)
    lamina = np.clip(1 - np.abs(outside - 2.4 * width) / width, 0, 1)
    where = 1.0 if tooth.germ else rooted
    strength = (2.0 if tooth.germ else rng.uniform(0.3, 1.2)) * fade
    around = (look.lamina * lamina - look.ligament * ligament) * where * strength
    value += cv2.GaussianBlur(np.asarray(around, np.float32), (0, 0), sharp)
    image[window] += value * np.float32(gain)
    mask = np.zeros((geometry.height, geometry.width), bool)
    mask[window] = solid
    return mask


def _blob(rng: np.random.Generator, u: float, v: float, wide: float, tall: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radius = 1 + np.convolve(np.tile(rng.normal(0, 0.3, 16), 3), np.ones(2) / 2, "same")[16:32]
    return np.stack([u + wide * radius * np.cos(turn), v + tall * radius * np.sin(turn)], 1)


def draw_restoration(
    rng: np.random.Generator, metal: Metal, image: FloatImage, tooth: Tooth, mask: Mask, geometry: Geometry
) -> Mask | None:
    """A filling or a crown on a tooth, inside its outline; its mask (H, W) bool."""
    shape = tooth.shape
    kind = rng.random()
    if kind < 0.12:
        polygons = [shape.crown * np.array([1.0, rng.uniform(0.7, 0.98)])]
    else:
        polygons = []
        for _ in range(int(rng.integers(1, 4))):
            polygons.append(
                _blob(
                    rng,
                    rng.normal(0, 0.2),
                    rng.uniform(0.03, 0.16),
                    rng.uniform(0.1, 0.36),
                    rng.uniform(0.03, 0.08),
                )
            )
        if tooth.position <= 3:
            polygons = [_blob(rng, rng.choice([-0.35, 0.35]), rng.uniform(0.06, 0.25), 0.16, 0.06)]
    pixels = [tooth.pixels(p, geometry) for p in polygons]
    window = window_of(np.concatenate(pixels), geometry, 3)
    if window is None:
        return None
    inside = (paint(window, pixels) > 0) & mask[window]
    if np.count_nonzero(inside) < 12 * geometry.pixel**2:
        return None
    soft = _soft((inside * 255).astype(np.uint8), 0.7 * geometry.pixel)
    if rng.random() < 0.25 or tooth.position <= 3:  # composite: bright, not white
        image[window] += soft * np.float32(rng.uniform(20, 60))
    else:
        metal.coverage[window] = np.maximum(metal.coverage[window], soft)
    result = np.zeros_like(mask)
    result[window] = inside
    return result


def draw_root_filling(
    rng: np.random.Generator, image: FloatImage, tooth: Tooth, mask: Mask, geometry: Geometry
) -> Mask | None:
    """Bright canals, and a little of the chamber; what of them is inside the tooth's outline, (H, W) bool."""
    polygons = [tooth.pixels(canal, geometry) for canal in tooth.shape.canals]
    window = window_of(np.concatenate(polygons), geometry, 5)
    if window is None:
        return None
    painted = paint(window, polygons)
    image[window] += _soft(painted, 0.8 * geometry.pixel) * np.float32(rng.uniform(45, 110))
    inside = (painted > 0) & mask[window]
    if np.count_nonzero(inside) < 12 * geometry.pixel**2:
        return None
    result = np.zeros_like(mask)
    result[window] = inside
    return result


def draw_implant(rng: np.random.Generator, metal: Metal, place: Tooth, geometry: Geometry) -> list[PhantomObject]:
    """A screw in an empty place, with a crown on it as a rule."""
    v = np.linspace(rng.uniform(0.3, 0.4), rng.uniform(0.85, 1.0), 48)
    t = (v - v[0]) / (v[-1] - v[0])
    half = 0.019 / place.width * rng.uniform(0.8, 1.15) * (1 - 0.45 * t**2)
    half = half * (1 + 0.12 * np.sign(np.sin(t * rng.integers(9, 15) * 2 * np.pi)))
    screw = np.concatenate([np.stack([-half, v], 1), np.stack([half, v], 1)[::-1]])
    parts: list[tuple[str, Points]] = [("implant", screw)]
    if rng.random() < 0.8:
        parts.append(("restoration", place.shape.crown * np.array([0.95, 0.95])))
    objects = []
    for category, polygon in parts:
        pixels = place.pixels(polygon, geometry)
        window = window_of(pixels, geometry, 4)
        if window is None:
            continue
        painted = paint(window, [pixels])
        if np.count_nonzero(painted) < 12:
            continue
        soft = _soft(painted, 0.7 * geometry.pixel) * (0.85 if category == "implant" else 1.0)
        metal.coverage[window] = np.maximum(metal.coverage[window], soft)
        mask = np.zeros((geometry.height, geometry.width), bool)
        mask[window] = painted > 0
        objects.append(PhantomObject(category, mask))
    return objects


def draw_bridge(
    rng: np.random.Generator, metal: Metal, joined: list[Tooth], geometry: Geometry
) -> list[PhantomObject]:
    """Crowns on the teeth, implants and gaps of a bridge, joined side to side: one object."""
    swell = np.array([float(rng.uniform(0.98, 1.06)), float(rng.uniform(0.8, 1.0))])
    polygons = [tooth.pixels(tooth.shape.crown * swell, geometry) for tooth in joined]
    for left, right in pairwise(joined):
        ends = []
        for tooth in (left, right):
            at, half = tooth.shape.neck * 0.5, tooth.shape.neck * 0.22
            ends.append(tooth.pixels(np.array([[0.0, at - half], [0.0, at + half]]), geometry))
        polygons.append(np.concatenate([ends[0], ends[1][::-1]]))
    window = window_of(np.concatenate(polygons), geometry, 4)
    if window is None:
        return []
    painted = paint(window, polygons)
    if np.count_nonzero(painted) < 40:
        return []
    soft = _soft(painted, 0.7 * geometry.pixel) * np.float32(rng.choice([1.0, rng.uniform(0.6, 0.95)]))
    metal.coverage[window] = np.maximum(metal.coverage[window], soft)
    mask = np.zeros((geometry.height, geometry.width), bool)
    mask[window] = painted > 0
    return [PhantomObject(BRIDGE, mask)]


def draw_appliance(rng: np.random.Generator, metal: Metal, teeth: list[Tooth], geometry: Geometry) -> None:
    """Brackets and a wire along each arch, or a thin retainer behind the lower front teeth."""
    retainer = rng.random() < 0.3
    for upper in (True, False):
        row = sorted((t for t in teeth if t.upper == upper and not t.germ and not t.deciduous), key=lambda t: t.x)
        row = [t for t in row if t.position <= (3 if retainer else 7)]
        if len(row) < 3 or (retainer and upper):
            continue
        canvas = np.zeros((geometry.height, geometry.width), np.uint8)
        centres = np.concatenate([t.pixels(np.array([[0.0, t.shape.neck * 0.5]]), geometry) for t in row])
        thickness = max(1, round(geometry.pixel * (1.2 if retainer else 1.6)))
        cv2.polylines(canvas, [np.round(centres * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
        if not retainer:
            for tooth in row:
                w, h = 0.011 / tooth.width, 0.011 / tooth.length
                middle = tooth.shape.neck * 0.5
                square = np.array([[-w, middle - h], [w, middle - h], [w, middle + h], [-w, middle + h]])
                fill(canvas, [tooth.pixels(square, geometry)], (0, 0))
        soft = cv2.GaussianBlur(canvas, (0, 0), 0.8 * geometry.pixel).astype(np.float32) / 255
        np.maximum(metal.coverage, soft, out=metal.coverage)
