"""An image's pixels as they were stored, and a small picture of it. Nothing else of its file is given out."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

from dentasam.errors import ImageError
from dentasam.labelling.images import read_pixels, thumbnail_png
from dentasam.labelling.routes.context import CaseId, Here, binary, problems
from dentasam.labelling.workspace import CaseImage

router = APIRouter(prefix="/api/cases/{case_id}", tags=["images"])
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
# Asked again each time whether they are still those: the file may be replaced under a running server.
KEPT = "private, no-cache"
_SHOWN = {
    "X-Image-Width": "Width in pixels.",
    "X-Image-Height": "Height in pixels.",
    "X-Image-Bits": "8 or 16.",
    "X-Image-Low": "Lower end of the display window to start with.",
    "X-Image-High": "Upper end of the display window to start with.",
}


@router.get(
    "/pixels",
    response_class=Response,
    responses={
        200: binary("application/octet-stream", "Rows of uint8 or little-endian uint16, without gaps.")
        | {"headers": {name: {"description": text, "schema": {"type": "integer"}} for name, text in _SHOWN.items()}},
        304: {"description": "The pixels with this ETag are still those."},
        **problems(404, 410),
    },
)
def pixels(case_id: CaseId, here: Here, if_none_match: IfNoneMatch = None) -> Response:
    """The image's pixels, raw."""
    image = here.image(case_id)
    tag = _tag(image, "p")
    if _held(if_none_match, tag):
        return _unchanged(tag)
    try:
        read = read_pixels(image.path)
    except ImageError:
        raise _gone(image) from None
    height, width = read.pixels.shape
    if (height, width) != (image.height, image.width):
        raise HTTPException(410, f"{image.name} has another size than at the start; start dentasam label again")
    headers = {
        "X-Image-Width": str(width),
        "X-Image-Height": str(height),
        "X-Image-Bits": str(read.bits),
        "X-Image-Low": str(read.low),
        "X-Image-High": str(read.high),
        "ETag": tag,
        "Cache-Control": KEPT,
    }
    return Response(read.little_endian(), media_type="application/octet-stream", headers=headers)


@router.get(
    "/thumbnail",
    response_class=Response,
    responses={
        200: binary("image/png", "A PNG whose longest side has 240 pixels."),
        304: {"description": "The thumbnail with this ETag is still the one."},
        **problems(404, 410),
    },
)
def thumbnail(case_id: CaseId, here: Here, if_none_match: IfNoneMatch = None) -> Response:
    """A small picture for the worklist."""
    image = here.image(case_id)
    tag = _tag(image, "t")
    if _held(if_none_match, tag):
        return _unchanged(tag)
    try:
        picture = thumbnail_png(image.path)
    except ImageError:
        raise _gone(image) from None
    return Response(picture, media_type="image/png", headers={"ETag": tag, "Cache-Control": KEPT})


def _tag(image: CaseImage, kind: str) -> str:
    try:
        found = image.path.stat()
    except OSError:
        raise _gone(image) from None
    return f'"{kind}-{found.st_mtime_ns:x}-{found.st_size:x}"'


def _held(if_none_match: str | None, tag: str) -> bool:
    return if_none_match is not None and tag in (part.strip() for part in if_none_match.split(","))


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": KEPT})


def _gone(image: CaseImage) -> HTTPException:
    # The fault itself names the file's whole path, which is nobody's business in the browser.
    return HTTPException(410, f"{image.name} cannot be read any more; put the file back and load the page again")
