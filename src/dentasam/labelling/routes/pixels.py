"""An image's pixels as they were stored, and a small picture of it. Nothing else of its file is given out."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import APIRouter, Header, HTTPException, Response

from dentasam.data.images.read import image_size
from dentasam.errors import ImageError
from dentasam.labelling.routes.context import CaseId, ContextDep, ServerContext, binary, problems
from dentasam.labelling.routes.documents import Picture
from dentasam.labelling.workspace.display import read_pixels, thumbnail_png
from dentasam.labelling.workspace.file_hashes import check_same_size
from dentasam.labelling.workspace.workspace import CaseImage

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
_PICTURE = {"X-Image-Picture": {"description": "A hash of the file.", "schema": {"type": "string"}}}
READINGS = 3
Made = TypeVar("Made")


@router.get(
    "/pixels",
    response_class=Response,
    responses={
        200: binary("application/octet-stream", "Rows of uint8 or little-endian uint16, without gaps.")
        | {
            "headers": _PICTURE
            | {name: {"description": text, "schema": {"type": "integer"}} for name, text in _SHOWN.items()}
        },
        304: {"description": "The pixels with this ETag are still those."},
        **problems(404, 410),
    },
)
def pixels(case_id: CaseId, context: ContextDep, if_none_match: IfNoneMatch = None) -> Response:
    """The image's pixels, raw."""
    image = context.image(case_id)
    if _held(if_none_match, tag := _tag(_now(context, case_id), "p")):
        return _unchanged(tag)
    picture, read = _made(context, case_id, read_pixels)
    height, width = read.pixels.shape
    check_same_size(image, height, width)
    tag = _tag(picture, "p")
    headers = {
        "X-Image-Width": str(width),
        "X-Image-Height": str(height),
        "X-Image-Bits": str(read.bits),
        "X-Image-Low": str(read.low),
        "X-Image-High": str(read.high),
        "X-Image-Picture": picture,
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
def thumbnail(case_id: CaseId, context: ContextDep, if_none_match: IfNoneMatch = None) -> Response:
    """A small picture for the worklist."""
    context.image(case_id)
    if _held(if_none_match, tag := _tag(_now(context, case_id), "t")):
        return _unchanged(tag)
    picture, small = _made(context, case_id, thumbnail_png)
    return Response(small, media_type="image/png", headers={"ETag": _tag(picture, "t"), "Cache-Control": KEPT})


@router.get("/picture", responses=problems(404))
def picture(case_id: CaseId, context: ContextDep) -> Picture:
    """Which picture the file of a case holds now: a page that shows another one asks for its pixels again."""
    image = context.image(case_id)
    try:
        found = context.queue.picture(case_id)
    except ImageError:
        return Picture(picture=None, problem=_gone(image).detail)
    try:
        check_same_size(image, *image_size(image.path))
    except ImageError as fault:
        return Picture(picture=found, problem=context.shown(str(fault)))
    return Picture(picture=found, problem=None)


def _now(context: ServerContext, case_id: int) -> str:
    try:
        return context.queue.picture(case_id)
    except ImageError:
        raise _gone(context.image(case_id)) from None


def _made(context: ServerContext, case_id: int, make: Callable[[Path], Made]) -> tuple[str, Made]:
    """What `make` makes of the case's file, and the hash of just that file: it may be replaced in between."""
    image = context.image(case_id)
    for _ in range(READINGS):
        before = _now(context, case_id)
        try:
            made = make(image.path)
        except ImageError:
            raise _gone(image) from None
        if _now(context, case_id) == before:
            return before, made
    raise HTTPException(410, f"{image.name} is being written to; open it again when that is done")


def _tag(picture: str, kind: str) -> str:
    return f'"{kind}-{picture}"'


def _held(if_none_match: str | None, tag: str) -> bool:
    return if_none_match is not None and tag in (part.strip() for part in if_none_match.split(","))


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": KEPT})


def _gone(image: CaseImage) -> HTTPException:
    # The fault itself names the file's whole path, which is nobody's business in the browser.
    return HTTPException(410, f"{image.name} cannot be read any more; put the file back and load the page again")
