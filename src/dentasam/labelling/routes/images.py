"""Adding images to the worklist."""

import os
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from dentasam.labelling.exchange.added_images import ImageAdder
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.database import is_disk_full
from dentasam.labelling.routes.cases import summary
from dentasam.labelling.routes.context import ContextDep, errors
from dentasam.labelling.routes.documents import CaseSummary

router = APIRouter(prefix="/api/images", tags=["images"])
TYPES = ("application/octet-stream", "application/dicom", "image/")
_BODY = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "required": True,
}


@router.post(
    "",
    status_code=201,
    response_model=CaseSummary,
    openapi_extra={"requestBody": _BODY},
    responses={
        200: {"model": CaseSummary, "description": "The same image was there already."},
        **errors(409, 413, 415, 422, 507),
    },
)
async def add_image(
    request: Request,
    context: ContextDep,
    response: Response,
    name: Annotated[str, Query(max_length=1000, description="The file's name, without a folder.")],
) -> CaseSummary:
    """Adds an image file to a folder of images: a new case of the worklist. It never replaces a file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith(TYPES):
        raise HTTPException(415, "the body is the image file itself, of the type application/octet-stream")
    image_adder = context.image_adder
    await run_in_threadpool(image_adder.check, name)
    case, new = await _received(request, image_adder, name)
    response.status_code = 201 if new else 200
    return await run_in_threadpool(summary, context, case)


async def _received(request: Request, image_adder: ImageAdder, name: str) -> tuple[Case, bool]:
    try:
        with image_adder.upload_path(name) as draft:
            with await run_in_threadpool(_created, draft) as file:
                async for block in request.stream():
                    await run_in_threadpool(file.write, block)
                await run_in_threadpool(_synced, file)
            return await run_in_threadpool(image_adder.add, draft)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise HTTPException(507, "the disk of the workspace is full; nothing was added, make room") from None


def _created(path: Path) -> BinaryIO:
    return path.open("xb")


def _synced(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
