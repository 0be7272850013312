"""The samples of a mask or label PNG as its file stores them: values and indices, not scaled for display.

Pillow spreads 1, 2 and 4 bits over the range of 8 and reduces 16-bit colour to 8; the reader of radiographs scales as
well. For a picture that is right; a label would become that of another tooth.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from dentasam.data.formats.files.samples import Samples
from dentasam.data.images.raster.markers import png_chunks
from dentasam.data.images.raster.pillow import samples_of, wide_channels
from dentasam.data.images.read import image_size
from dentasam.data.images.strips import converted
from dentasam.errors import ImageError

# The factor by which Pillow multiplies the values of a grayscale PNG, by its bits.
PILLOW_FACTOR = {1: 255, 2: 85, 4: 17}


def read_samples(path: Path) -> Samples:
    """Reads a PNG. Raises ImageError for a file that is missing, empty, damaged, too large or not a PNG."""
    image_size(path)  # names what is wrong with the file
    try:
        with Image.open(path, formats=("PNG",)) as image:
            bits = png_chunks(path).depth
            image.load()
            if bits == 16 and image.mode in ("LA", "RGB", "RGBA"):
                return _wide(path)
            return _narrow(image, bits)
    except ImageError:
        raise
    except Exception as error:
        # Decoders raise exceptions of many types on a damaged file.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} is not a PNG that can be read ({reason}); export it again") from None


def _narrow(image: Image.Image, bits: int) -> Samples:
    transparent = image.info.get("transparency")
    pixels = samples_of(image)
    if image.mode == "P":
        colours = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        alpha = None
        if transparent is not None:
            of_index = np.full(256, 255, np.uint8)
            if isinstance(transparent, bytes):
                of_index[: len(transparent)] = np.frombuffer(transparent, np.uint8)[:256]
            else:
                of_index[transparent] = 0
            alpha = converted(pixels, np.uint8, lambda part: of_index[part])
        return Samples(pixels, bits, colours, alpha)
    if image.mode in ("LA", "RGBA"):
        colour = pixels[..., :-1]
        return Samples(colour[..., 0] if image.mode == "LA" else colour, bits, alpha=pixels[..., -1])
    if image.mode == "1":
        values = pixels.astype(np.uint8)
    elif image.mode == "L":
        values = pixels // PILLOW_FACTOR.get(bits, 1)
    else:  # 16-bit grayscale, or RGB
        values = pixels.astype(np.uint16, copy=False) if image.mode.startswith("I") else pixels
    # The transparent value is stored at the file's own depth; Pillow spreads that of a 1-bit file.
    known = transparent if bits > 1 or transparent is None else int(bool(transparent))
    return Samples(values, bits, alpha=_but(values, known))


def _but(values: np.ndarray, transparent: object) -> np.ndarray | None:
    """The alpha of a file in which one value or colour is transparent."""
    if transparent is None:
        return None
    same = values == np.asarray(transparent)
    hit = same.all(axis=-1) if values.ndim == 3 else same
    return np.where(hit, np.uint8(0), np.uint8(255))


def _wide(path: Path) -> Samples:
    """16-bit colour or alpha, which Pillow cuts to 8 bits; libpng makes alpha of a transparent colour."""
    pixels = wide_channels(path)
    colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    values = pixels[..., 0] if colours == 1 else pixels[..., :3]
    return Samples(values, 16, alpha=pixels[..., -1] if pixels.shape[2] > colours else None)
