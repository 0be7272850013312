"""Requests and answers of MONAI Label's protocol, as far as clients need them to segment one object in one image.

A client posts to `/infer/MODEL?image=ID` a form whose field `params` is JSON with `foreground` and `background`
points. The answer is a form with `params` (JSON) and `image` (a label image). Differences from MONAI Label's server:

- every request needs the token (`Authorization: Bearer …`);
- images are 2-D: a point is x, y in image pixels from the upper left; a third number, the slice, is ignored;
- the label image is an 8-bit PNG, 1 in the object and 0 elsewhere, not NIfTI or NRRD;
- images are those of the worklist, by case number or name: a request with a `file` or `label` is refused, and there
  are no sessions, no training and no next samples.

See also https://docs.monai.io/projects/label, its REST API.
"""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dentasam.documents.error import DocumentError
from dentasam.documents.validation import first_error
from dentasam.labelling.wire.fields import MAX_CLICKS, Pixel
from dentasam.labelling.wire.json_values import bounded

Output = Literal["image", "json", "all"]
# A form has `params`, and clients may add a few fields of their own.
MAX_PARTS = 16
MAX_HEAD_BYTES = 4096
BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
NAME = re.compile(rb'\r\nContent-Disposition:[^\r\n]*?;\s*name=(?:"([^"\r\n]*)"|([^\s;"]+))', re.IGNORECASE)
Point = Annotated[list[Pixel], Field(min_length=2, max_length=3)]


class MonaiError(ValueError):
    """A request is malformed, or asks for what is not supported. The message is one line."""


class InferParams(BaseModel):
    """The points of one object. Clients send settings of their own beside them; those are ignored."""

    model_config = ConfigDict(extra="ignore")

    foreground: Annotated[list[Point], Field(max_length=MAX_CLICKS)] = []
    background: Annotated[list[Point], Field(max_length=MAX_CLICKS)] = []
    label: Annotated[str, Field(max_length=200)] | None = None

    @property
    def clicks(self) -> list[tuple[float, float, int]]:
        """The points as x, y in image pixels and a label, 1 positive or 0 negative."""
        return [(point[0], point[1], 1) for point in self.foreground] + [
            (point[0], point[1], 0) for point in self.background
        ]


@dataclass(frozen=True)
class InferResponse:
    """The body of an answer and its media type."""

    content: bytes
    media_type: str


def read_params(content_type: str, body: bytes) -> InferParams:
    """The points from a form (multipart or URL-encoded, field `params`) or from a JSON body. Raises MonaiError."""
    try:
        text = _params_text(content_type, body)
        return InferParams.model_validate(bounded(text or "{}"))
    except MonaiError:
        raise
    except ValidationError as error:
        raise MonaiError(f"params: {first_error(error)}") from None
    except DocumentError as error:
        raise MonaiError(f"params cannot be read ({error})") from None
    except ValueError:
        raise MonaiError("params is not text in UTF-8") from None


def infer_response(mask: np.ndarray, params: dict[str, Any], output: Output | None, stem: str) -> InferResponse:
    """The answer for a mask (H, W) bool: the label image, `params` as JSON, or by default a form of both."""
    text = json.dumps(params).encode()
    if output == "json":
        return InferResponse(text, "application/json")
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(file, "PNG")
    image_bytes = file.getvalue()
    if output == "image":
        return InferResponse(image_bytes, "image/png")
    boundary = secrets.token_hex(16)
    name = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in stem)
    parts = (
        ('name="params"', "application/json", text),
        (f'name="image"; filename="{name}.png"', "image/png", image_bytes),
    )
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for head, kind, content in parts
    )
    return InferResponse(body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def info(model: str, version: str, labels: list[str]) -> dict[str, Any]:
    """The answer to `GET /info/`: one interactive 2-D model, and nothing to train."""
    return {
        "name": "dentasam",
        "description": "Interactive segmentation of dental panoramic X-rays",
        "version": version,
        "labels": labels,
        "models": {
            model: {
                "type": "deepgrow",
                "labels": labels,
                "dimension": 2,
                "description": "SAM-HQ with clicks in image pixels; the label image is a PNG",
                "config": {},
            }
        },
        "trainers": {},
        "strategies": {},
        "scoring": {},
        "datastore": {},
    }


def _params_text(content_type: str, body: bytes) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return body.decode("utf-8")
    if kind == "application/x-www-form-urlencoded":
        return parse_qs(body.decode("utf-8"), errors="strict", max_num_fields=50).get("params", ["{}"])[0]
    if kind == "multipart/form-data":
        return _multipart_params(content_type, body)
    if not body:
        return "{}"
    raise MonaiError("the body must be a form with the field params, or JSON")


def _multipart_params(content_type: str, body: bytes) -> str:
    text = "{}"
    for name, content in _parts(content_type, body):
        if name in ("file", "label"):
            raise MonaiError(f"{name}: uploading images and labels is not supported; name an image of the worklist")
        if name == "params":
            text = content.decode("utf-8")
    return text


def _parts(content_type: str, body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """The name and the content of each part of a form (RFC 7578), which has no transfer encodings. Raises MonaiError.

    The parsers of mail take seconds for thousands of empty parts, for parts in parts, and for long headers.
    """
    found = BOUNDARY.search(content_type)
    if found is None:
        raise MonaiError("the form has no boundary")
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    pieces = (b"\r\n" + body).split(mark, MAX_PARTS + 2)[1:]
    if len(pieces) > MAX_PARTS + 1:
        raise MonaiError(f"the form has more than {MAX_PARTS} parts")
    if not pieces or not pieces[-1].startswith(b"--"):
        raise MonaiError("the form is cut, or does not have the boundary of its header")
    for piece in pieces[:-1]:
        # Spaces may follow a boundary in its line.
        line, _, rest = piece.partition(b"\r\n")
        head, separator, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
        if line.strip(b" \t") or not separator or len(head) > MAX_HEAD_BYTES:
            raise MonaiError("a part of the form is malformed")
        named = NAME.search(head)
        yield (named[1] or named[2]).decode("utf-8", "replace") if named else None, content
