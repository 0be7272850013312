"""An image's pixels as they were stored, and its thumbnail. Nothing else of its file is sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import APIRouter, Header, HTTPException, Response

from dentasam.data.images.read import image_size
from dentasam.errors import ImageError
from dentasam.labelling.routes.shared.context import CaseId, ContextDep, ServerContext, binary_answer, errors
from dentasam.labelling.routes.shared.documents import Picture
from dentasam.labelling.workspace.display import read_pixels, thumbnail_png
from dentasam.labelling.workspace.file_hashes import check_same_size
from dentasam.labelling.workspace.workspace import CaseImage

router = APIRouter(prefix="/api/cases/{case_id}", tags=["images"])
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
# The browser asks each time whether they have changed: the file may be replaced while the server runs.
REVALIDATED = "private, no-cache"
_SHOWN = {
    "X-Image-Width": "Width in pixels.",
    "X-Image-Height": "Height in pixels.",
    "X-Image-Bits": "8 or 16.",
    "X-Image-Low": "Lower end of the display window to start with.",
    "X-Image-High": "Upper end of the display window to start with.",
}
_PICTURE = {"X-Image-Picture": {"description": "A hash of the file.", "schema": {"type": "string"}}}
MAX_READS = 3
Read = TypeVar("Read")


@router.get(
    "/pixels",
    response_class=Response,
    responses={
        200: binary_answer("application/octet-stream", "Rows of uint8 or little-endian uint16, without gaps.")
        | {
            "headers": _PICTURE
            | {name: {"description": text, "schema": {"type": "integer"}} for name, text in _SHOWN.items()}
        },
        304: {"description": "The pixels with this ETag are still current."},
        **errors(404, 410),
    },
)
def pixels(case_id: CaseId, context: ContextDep, if_none_match: IfNoneMatch = None) -> Response:
    """The image's pixels, raw."""
    image = context.image(case_id)
    if _matches(if_none_match, tag := _tag(_current_picture(context, case_id), "p")):
        return _unchanged(tag)
    picture, read = _read(context, case_id, read_pixels)
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
        "Cache-Control": REVALIDATED,
    }
    return Response(read.little_endian(), media_type="application/octet-stream", headers=headers)


@router.get(
    "/thumbnail",
    response_class=Response,
    responses={
        200: binary_answer("image/png", "A PNG whose longest side has 240 pixels."),
        304: {"description": "The thumbnail with this ETag is still current."},
        **errors(404, 410),
    },
)
def thumbnail(case_id: CaseId, context: ContextDep, if_none_match: IfNoneMatch = None) -> Response:
    """A small picture for the worklist."""
    context.image(case_id)
    if _matches(if_none_match, tag := _tag(_current_picture(context, case_id), "t")):
        return _unchanged(tag)
    picture, small = _read(context, case_id, thumbnail_png)
    return Response(small, media_type="image/png", headers={"ETag": _tag(picture, "t"), "Cache-Control": REVALIDATED})


@router.get("/picture", responses=errors(404))
def picture(case_id: CaseId, context: ContextDep) -> Picture:
    """Which picture the file of a case holds now; a page that shows another one asks for its pixels again."""
    image = context.image(case_id)
    try:
        found = context.queue.picture(case_id)
    except ImageError:
        return Picture(picture=None, problem=_gone(image).detail)
    try:
        check_same_size(image, *image_size(image.path))
    except ImageError as error:
        return Picture(picture=found, problem=context.public_message(str(error)))
    return Picture(picture=found, problem=None)


def _current_picture(context: ServerContext, case_id: int) -> str:
    try:
        return context.queue.picture(case_id)
    except ImageError:
        raise _gone(context.image(case_id)) from None


def _read(context: ServerContext, case_id: int, read: Callable[[Path], Read]) -> tuple[str, Read]:
    """What `make` makes of the case's file, and the hash of just that file: it may be replaced in between."""
    image = context.image(case_id)
    for _ in range(MAX_READS):
        before = _current_picture(context, case_id)
        try:
            found = read(image.path)
        except ImageError:
            raise _gone(image) from None
        if _current_picture(context, case_id) == before:
            return before, found
    raise HTTPException(410, f"{image.name} is being written to; open it again when that is done")


def _tag(picture: str, kind: str) -> str:
    return f'"{kind}-{picture}"'


def _matches(if_none_match: str | None, tag: str) -> bool:
    return if_none_match is not None and tag in (part.strip() for part in if_none_match.split(","))


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": REVALIDATED})


def _gone(image: CaseImage) -> HTTPException:
    # The original error names the file's whole path, which the browser must not learn.
    return HTTPException(410, f"{image.name} cannot be read any more; put the file back and load the page again")
