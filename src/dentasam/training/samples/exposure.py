"""How another device and its software would have shown the same patient: no pixel moves, only gray values change.

    exposure = draw_exposure(settings, rng)     the recipe's `augmentation`, drawn for an image or an object window
    gray = processed(gray, exposure)            what a maker's software does to an image: CLAHE, tone curve, JPEG
    gray = exposed(gray, exposure)              what differs by device: sharpness, exposure, vignetting, grain

Both take gray values (h, w) float32 in 0..255 of any size and give the same. `processed` belongs on the image at its
own resolution, before anything is cut from it: CLAHE's tiles are a share of the image and JPEG's blocks are eight of
its pixels. `exposed` belongs on what the model sees: its lengths are in the pixels of the array that it gets.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.training.recipe.sections import Augmentation

# Shares of the draws that have an effect at all.
_CLAHE_SHARE, _TONE_SHARE, _JPEG_SHARE, _BLUR_SHARE, _SHARPEN_SHARE, _COARSE_SHARE = 0.4, 0.5, 0.4, 0.35, 0.35, 0.5
# Inner knots of a tone curve, and the height of an image's coarse grain in pixels.
_KNOTS, _COARSE = 4, 2
# A narrower kernel is a single pixel.
_MIN_BLUR = 0.1


@dataclass(frozen=True)
class Exposure:
    """One drawn exposure. The default changes nothing.

    clahe: clip limit of the equalised histogram of each tile, 0 for none; clahe_tiles: tiles along each axis.
    tone: gray values in 0..1 that 0, 0.2, 0.4, 0.6, 0.8 and 1 become, ascending; empty for no curve.
    jpeg: quality of the compression, 100 for none.
    blur: standard deviation in pixels. sharpen: how much of what a blur of sharpen_radius takes away is added.
    gamma, contrast: factors. offset, tilt, vignette: added in the gray range 1; tilt is the difference from the
    middle to the right and to the lower edge, vignette that to the middle of an edge.
    noise: standard deviation in the gray range 1; coarse: whether a grain is wider than a pixel. noise_seed: of the
    grain.
    """

    clahe: float = 0.0
    clahe_tiles: int = 8
    tone: tuple[float, ...] = ()
    jpeg: int = 100
    blur: float = 0.0
    sharpen: float = 0.0
    sharpen_radius: float = 1.5
    gamma: float = 1.0
    contrast: float = 1.0
    offset: float = 0.0
    tilt: tuple[float, float] = (0.0, 0.0)
    vignette: float = 0.0
    noise: float = 0.0
    coarse: bool = False
    noise_seed: int = 0


def draw_exposure(settings: Augmentation, rng: np.random.Generator) -> Exposure:
    """An exposure within the recipe's ranges; the logarithms of factors are drawn uniformly."""
    if rng.random() >= settings.exposure:
        return Exposure()

    def factor(spread: float) -> float:
        return float(np.exp(rng.uniform(-1, 1) * np.log1p(spread)))

    def around(reach: float) -> float:
        return float(rng.uniform(-1, 1)) * reach

    shares = rng.random(5)
    clahe, tiles = float(rng.uniform(min(1.0, settings.clahe), settings.clahe)), int(rng.integers(3, 12))
    knots, bend = np.sort(rng.random(_KNOTS)), float(rng.random()) * settings.tone
    straight = np.linspace(0, 1, _KNOTS + 2)
    curve = (1 - bend) * straight + bend * np.concatenate([[0.0], knots, [1.0]])
    quality = 100 - round(float(rng.random()) * settings.jpeg)
    blur, sharpen = float(rng.random()) * settings.blur, float(rng.random()) * settings.sharpen
    return Exposure(
        clahe=clahe if shares[0] < _CLAHE_SHARE else 0.0,
        clahe_tiles=tiles,
        tone=tuple(curve.tolist()) if shares[1] < _TONE_SHARE and bend > 0 else (),
        jpeg=quality if shares[2] < _JPEG_SHARE else 100,
        blur=blur if shares[3] < _BLUR_SHARE else 0.0,
        sharpen=sharpen if shares[3] > 1 - _SHARPEN_SHARE else 0.0,
        sharpen_radius=float(rng.uniform(0.8, 3.0)),
        gamma=factor(settings.gamma),
        contrast=factor(settings.contrast),
        offset=around(settings.offset),
        tilt=(around(settings.tilt), around(settings.tilt)),
        vignette=around(settings.vignette),
        noise=float(rng.random()) * settings.noise,
        coarse=bool(shares[4] < _COARSE_SHARE),
        noise_seed=int(rng.integers(2**31)),
    )


def processed(gray: np.ndarray, exposure: Exposure) -> np.ndarray:
    """An image (h, w) float32 in 0..255 at its own resolution as another software would have stored it."""
    if exposure.clahe > 0 or exposure.tone:
        fine = np.rint(np.clip(gray, 0, 255) * np.float32(257)).astype(np.uint16)
        if exposure.clahe > 0:
            fine = cv2.createCLAHE(exposure.clahe, (exposure.clahe_tiles, exposure.clahe_tiles)).apply(fine)
        values = np.arange(2**16, dtype=np.float64) / 257
        if exposure.tone:
            values = np.interp(values, np.linspace(0, 255, len(exposure.tone)), 255 * np.array(exposure.tone))
        gray = values.astype(np.float32)[fine]
    if exposure.jpeg < 100:
        coarse = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
        _, coded = cv2.imencode(".jpg", coarse, [cv2.IMWRITE_JPEG_QUALITY, exposure.jpeg])
        gray = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.float32)
    return gray


def exposed(gray: np.ndarray, exposure: Exposure) -> np.ndarray:
    """What the model sees, (h, w) float32 in 0..255, as another device would have shown it."""
    unit: np.ndarray = gray.astype(np.float32) / 255
    if exposure.blur > _MIN_BLUR:
        unit = cv2.GaussianBlur(unit, (0, 0), exposure.blur)
    if exposure.sharpen > 0:
        unit = unit + np.float32(exposure.sharpen) * (unit - cv2.GaussianBlur(unit, (0, 0), exposure.sharpen_radius))
    if exposure.gamma != 1.0:
        unit = np.clip(unit, 0, 1) ** np.float32(exposure.gamma)
    if exposure.contrast != 1.0:
        middle = unit.mean(dtype=np.float64).astype(np.float32)
        unit = (unit - middle) * np.float32(exposure.contrast) + middle
    if exposure.offset or exposure.vignette or any(exposure.tilt):
        x, y = (np.linspace(-1, 1, length, dtype=np.float32) for length in (unit.shape[1], unit.shape[0]))
        across = exposure.tilt[0] * x + exposure.vignette * x**2
        down = exposure.tilt[1] * y + exposure.vignette * y**2
        unit = unit + (np.float32(exposure.offset) + across[None] + down[:, None]).astype(np.float32)
    if exposure.noise > 0:
        unit = unit + np.float32(exposure.noise) * _grain(unit.shape[0], unit.shape[1], exposure)
    return np.ascontiguousarray(np.clip(unit, 0, 1) * 255, dtype=np.float32)


def _grain(height: int, width: int, exposure: Exposure) -> np.ndarray:
    """Noise (h, w) of standard deviation 1, white or coarse."""
    rng = np.random.default_rng(exposure.noise_seed)
    if not exposure.coarse:
        return rng.standard_normal((height, width), dtype=np.float32)
    grains = rng.standard_normal((height // _COARSE + 1, width // _COARSE + 1), dtype=np.float32)
    field = cv2.resize(grains, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def processed_image(image: np.ndarray, exposure: Exposure) -> np.ndarray:
    """An image (H, W) uint8 or uint16 as `processed` makes it, of the same type."""
    if not (exposure.clahe or exposure.tone or exposure.jpeg < 100):
        return image
    unit = np.float32(257.0 if image.dtype == np.uint16 else 1.0)
    gray = processed(image.astype(np.float32) / unit, exposure)
    return np.rint(gray.clip(0, 255) * unit).astype(image.dtype)
