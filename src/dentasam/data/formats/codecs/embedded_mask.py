"""A mask that an annotation holds as a PNG: LabelMe's `mask`, Supervisely's `bitmap`, Label Studio's bitmask."""

from __future__ import annotations

import base64
import binascii
import struct
from io import BytesIO

import numpy as np
from PIL import Image

from dentasam.model.windows.boxed_mask import BoxedMask

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Signature, length and name of the first chunk, then width and height.
_SIZE_AT = 16


def bytes_of_base64(text: object, name: str) -> bytes:
    """The bytes behind a base64 text. Raises ValueError with the reason; name: as in `its mask`."""
    if not isinstance(text, str):
        raise ValueError(f"{name} is not a base64 text")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{name} is not a complete base64 text") from None


def mask_of_png(data: bytes, height: int, width: int) -> np.ndarray:
    """The mask (h, w) bool of a PNG: pixels that are not transparent, and without transparency those that are not 0.

    Of a palette, index 0 is the ground. height, width: those of the image, which the mask must not exceed. Raises
    ValueError with the reason.
    """
    if not data.startswith(_SIGNATURE) or len(data) < _SIZE_AT + 8:
        raise ValueError("its mask is not a PNG")
    own_width, own_height = struct.unpack(">II", data[_SIZE_AT : _SIZE_AT + 8])
    # Before anything is decoded: a small file may unfold to any size.
    if own_width > width or own_height > height:
        raise ValueError(f"its mask of {own_width}x{own_height} pixels is larger than the image")
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            image.load()
            mode, pixels = image.mode, np.asarray(image)
    except Exception as error:
        # Decoders raise exceptions of many types on a damaged file.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"its mask is a damaged PNG ({reason:.60})") from None
    if mode in ("LA", "RGBA"):
        opaque = pixels[..., -1] > 0
        return opaque if not opaque.all() else np.asarray(pixels[..., :-1].any(axis=2))
    return np.asarray(pixels.any(axis=2) if pixels.ndim == 3 else pixels != 0)


def placed(x: int, y: int, bits: np.ndarray, height: int, width: int) -> BoxedMask:
    """A mask (h, w) bool whose upper left pixel is at x, y; what lies outside the image is cut off."""
    left, top = max(0, -x), max(0, -y)
    inside = bits[top : max(top, height - y), left : max(left, width - x)]
    if not inside.size:
        return BoxedMask(0, 0, np.zeros((0, 0), bool))
    return BoxedMask(x + left, y + top, np.ascontiguousarray(inside)).tight()
