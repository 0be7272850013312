"""The shapes in which MONAI Label's clients ask and are answered, as far as one image and one object need them.

A client posts to `/infer/MODEL?image=ID` a form whose field `params` is JSON with `foreground` and `background`
points, and gets a form back: `params` (JSON) and `image` (a label image). What differs from MONAI Label's own server:

- every request carries the token (`Authorization: Bearer …`);
- images are 2-D: a point is x, y in image pixels, from the upper left; a third number, a slice, is ignored;
- the label image is an 8-bit PNG, 1 where the object is and 0 elsewhere, in place of NIfTI or NRRD;
- images are those of the worklist, by case number or name; a `file` or `label` that is sent along is refused, and
  there are no sessions, training, or next samples.
"""

from __future__ import annotations

import io
import json
import secrets
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dentasam.labelling.wire.fields import MAX_CLICKS, Pixel, first_error

Output = Literal["image", "json", "all"]
Point = Annotated[list[Pixel], Field(min_length=2, max_length=3)]


class MonaiError(ValueError):
    """A request is not of the shape that is understood here. The message is one line."""


class InferParams(BaseModel):
    """The points of one object. Clients send settings of their own beside them; those are ignored."""

    model_config = ConfigDict(extra="ignore")

    foreground: Annotated[list[Point], Field(max_length=MAX_CLICKS)] = []
    background: Annotated[list[Point], Field(max_length=MAX_CLICKS)] = []
    label: Annotated[str, Field(max_length=200)] | None = None

    @property
    def clicks(self) -> list[tuple[float, float, int]]:
        """x, y and 1 positive or 0 negative."""
        return [(point[0], point[1], 1) for point in self.foreground] + [
            (point[0], point[1], 0) for point in self.background
        ]


@dataclass(frozen=True)
class Answered:
    """An answer's bytes and their type."""

    content: bytes
    media_type: str


def read_params(content_type: str, body: bytes) -> InferParams:
    """The points from a form (multipart or urlencoded, field `params`) or from JSON itself. Raises MonaiError."""
    try:
        text = _params_text(content_type, body)
        return InferParams.model_validate(json.loads(text or "{}"))
    except MonaiError:
        raise
    except ValidationError as fault:
        raise MonaiError(f"params: {first_error(fault)}") from None
    except (ValueError, RecursionError, MessageError):
        raise MonaiError("params is no JSON") from None


def answer(mask: np.ndarray, params: dict[str, Any], output: Output | None, stem: str) -> Answered:
    """The answer for a mask (H, W) bool: the label image, its `params`, or a form of both, as MONAI Label does."""
    text = json.dumps(params).encode()
    if output == "json":
        return Answered(text, "application/json")
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(file, "PNG")
    picture = file.getvalue()
    if output == "image":
        return Answered(picture, "image/png")
    boundary = secrets.token_hex(16)
    name = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in stem)
    parts = (
        ('name="params"', "application/json", text),
        (f'name="image"; filename="{name}.png"', "image/png", picture),
    )
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for head, kind, content in parts
    )
    return Answered(body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def info(model: str, version: str, labels: list[str]) -> dict[str, Any]:
    """What `GET /info/` says: one interactive 2-D model, nothing to train."""
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
    head = b"Content-Type: " + content_type.encode("latin-1").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n\r\n"
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    text = "{}"
    for part in form.iter_parts() if form.is_multipart() else ():
        name = _field(part)
        if name in ("file", "label"):
            raise MonaiError(f"{name}: images and labels are not taken in; name an image of the worklist")
        if name == "params":
            payload = part.get_payload(decode=True)
            text = payload.decode("utf-8") if isinstance(payload, bytes) else ""
    return text


def _field(part: Message) -> str | None:
    name = part.get_param("name", header="content-disposition")
    return name if isinstance(name, str) else None
