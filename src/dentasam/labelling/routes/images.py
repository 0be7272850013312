"""Adding images to the worklist."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dentasam.labelling.exchange.added_images import ImageAdder
from dentasam.labelling.log.cases import Case
from dentasam.labelling.routes.cases import summary
from dentasam.labelling.routes.shared.capacity import in_threads_of
from dentasam.labelling.routes.shared.context import ContextDep, errors
from dentasam.labelling.routes.shared.documents import CaseSummary
from dentasam.labelling.routes.shared.uploads import FILE_BODY, check_type, received_file

router = APIRouter(prefix="/api/images", tags=["images"])


@router.post(
    "",
    status_code=201,
    response_model=CaseSummary,
    openapi_extra={"requestBody": FILE_BODY},
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
    check_type(request, "image")
    image_adder = context.image_adder
    await in_threads_of("reads", image_adder.check, name)
    case, new = await _received(request, image_adder, name)
    response.status_code = 201 if new else 200
    return await in_threads_of("reads", summary, context, case)


async def _received(request: Request, image_adder: ImageAdder, name: str) -> tuple[Case, bool]:
    with image_adder.upload_path(name) as draft:
        await received_file(request, draft)
        return await in_threads_of("files", image_adder.add, draft)
