"""The envelope: a JSON document followed by the bits of its masks, as it is sent and stored.

    bytes       content
    0 to 3      `DSM1`
    4 to 7      N, the length of the document in bytes: unsigned, 32 bits, little-endian
    8 to 7+N    the document, JSON in UTF-8
    8+N to end  the masks' bits, one blob after the other without gaps

In place of a mask the document holds a reference, `{"x", "y", "width", "height", "offset", "length"}`: the mask's box
in pixels of the image, and the position and length in bytes of its blob, counted from byte 8+N. A blob is what
`BoxMask.runs` returns.
"""

import json
import struct
from typing import Any

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.documents.error import DocumentError
from dentasam.labelling.wire.box_mask import BoxMask, MaskError
from dentasam.labelling.wire.json_values import check_number, parse

MEDIA_TYPE = "application/vnd.dentasam.masks"
MAGIC = b"DSM1"
REFERENCE_KEYS = frozenset({"x", "y", "width", "height", "offset", "length"})
# A few bytes may claim a box of any size, so the pixels of all masks of one body are limited too.
TOTAL_PIXEL_LIMIT = 4 * PIXEL_LIMIT
# What JSON may hold takes twenty times its bytes once it is parsed. A stroke of 10,000 points has 200 KB.
DOCUMENT_BYTES = 32 * 1024 * 1024


class EnvelopeError(ValueError):
    """A body is not an envelope, or a mask in it is malformed."""


def pack(document: Any) -> bytes:
    """The envelope of a document: JSON values, with BoxMasks anywhere inside.

    Raises ValueError for NaN and infinities, TypeError for a value that JSON does not have.
    """
    blobs: list[bytes] = []
    offset = 0

    def referenced(value: Any) -> Any:
        nonlocal offset
        if isinstance(value, BoxMask):
            blob = value.runs()
            # A box of height or width 0 is written as 0 x 0.
            width, height = (value.width, value.height) if blob else (0, 0)
            reference = {"x": value.x, "y": value.y, "width": width, "height": height}
            reference |= {"offset": offset, "length": len(blob)}
            blobs.append(blob)
            offset += len(blob)
            return reference
        if isinstance(value, dict):
            return {key: referenced(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [referenced(item) for item in value]
        return value

    text = json.dumps(referenced(document), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    encoded = text.encode("utf-8")
    return b"".join([MAGIC, struct.pack("<I", len(encoded)), encoded, *blobs])


def unpack(body: bytes, limit: int = TOTAL_PIXEL_LIMIT, size: tuple[int, int] | None = None) -> Any:
    """The document of an envelope, with a BoxMask for every reference; their bits are not decoded.

    limit: how many pixels the boxes of all masks may have together. size: height and width of the image that every
    mask must fit. Raises EnvelopeError for anything that `pack` would not have written.
    """
    if len(body) < 8 or body[:4] != MAGIC:
        raise EnvelopeError(f"the body does not start with {MAGIC.decode()} and a length")
    (length,) = struct.unpack("<I", body[4:8])
    if 8 + length > len(body):
        raise EnvelopeError("the body is cut inside its document")
    if length > DOCUMENT_BYTES:
        raise EnvelopeError(f"the document has more than {DOCUMENT_BYTES} bytes; send it in parts")
    reader = _Reader(memoryview(body)[8 + length :], limit, size)
    document = body[8 : 8 + length]
    try:
        return reader.resolved(parse(document))
    except DocumentError as error:
        raise EnvelopeError(f"the document cannot be read ({error})") from None
    except MaskError as error:
        raise EnvelopeError(f"a mask is malformed: {error}") from None


class _Reader:
    def __init__(self, blobs: memoryview, limit: int, size: tuple[int, int] | None) -> None:
        self.blobs = blobs
        self.pixels_left = limit
        self.size = size
        # Many references to one large blob would take its length in time and memory for each.
        self.bytes_left = len(blobs)

    def resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == REFERENCE_KEYS:
                return self.mask(value)
            return {key: self.resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        check_number(value)
        return value

    def mask(self, reference: dict[str, Any]) -> BoxMask:
        if not all(type(number) is int and 0 <= number < 1 << 32 for number in reference.values()):
            raise EnvelopeError("a mask's box, offset and length are not whole numbers from 0")
        x, y, width, height = (reference[key] for key in ("x", "y", "width", "height"))
        offset, length = reference["offset"], reference["length"]
        self.pixels_left -= width * height
        self.bytes_left -= length
        if self.size is not None and width * height and (x + width > self.size[1] or y + height > self.size[0]):
            shown = f"{self.size[1]} x {self.size[0]}"
            raise EnvelopeError(f"a mask in the box {x}, {y}, {width} x {height} does not fit the image of {shown}")
        if offset + length > len(self.blobs) or self.bytes_left < 0:
            raise EnvelopeError("a mask's bits lie outside the body")
        if self.pixels_left < 0:
            raise EnvelopeError("its masks have more pixels than one body may hold; send it in parts")
        return BoxMask.from_runs(x, y, width, height, bytes(self.blobs[offset : offset + length]))
