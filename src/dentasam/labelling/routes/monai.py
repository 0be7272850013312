"""Masks for MONAI Label's clients; `exchange.monai` says what differs from its own server."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from dentasam.labelling.exchange.monai import InferParams, MonaiError, Output, infer_response, info, read_params
from dentasam.labelling.inference.replies import PredictReply
from dentasam.labelling.inference.requests import PredictObject
from dentasam.labelling.routes.shared.capacity import in_threads_of
from dentasam.labelling.routes.shared.context import ContextDep, ServerContext, binary_answer, errors
from dentasam.labelling.routes.shared.documents import MonaiInfo
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.version import __version__

router = APIRouter(tags=["MONAI Label"])
ANY_MODEL_NAME = "dentasam"
LABEL = "object"


async def _params(request: Request) -> InferParams:
    try:
        kind = request.headers.get("content-type", "")
        return await in_threads_of("model", read_params, kind, await request.body())
    except MonaiError as error:
        raise HTTPException(422, str(error)) from None


@router.get("/info/")
def monai_info(context: ContextDep) -> MonaiInfo:
    """The models there are, in MONAI Label's shape."""
    labels = [label.name for label in context.workspace.schema.labels]
    return MonaiInfo.model_validate(info(context.queue.model.name, __version__, labels))


@router.post(
    "/infer/{model}",
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/InferParams"}},
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "properties": {"params": {"type": "string", "description": "InferParams as JSON."}},
                    }
                },
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"params": {"type": "string", "description": "InferParams as JSON."}},
                    }
                },
            },
        }
    },
    responses={
        200: {
            "description": "The label image, `params`, or a form of both.",
            "content": {
                "multipart/form-data": {"schema": {"type": "object"}},
                "image/png": binary_answer("image/png", "")["content"]["image/png"],
                "application/json": {"schema": {"type": "object"}},
            },
        },
        **errors(404, 410, 413, 422, 503),
    },
)
async def infer(
    model: str,
    context: ContextDep,
    params: Annotated[InferParams, Depends(_params)],
    image: Annotated[str, Query(max_length=1000, description="Case number, image name, or its stem.")],
    output: Annotated[Output | None, Query(description="A form of both if left out.")] = None,
) -> Response:
    """The mask of one object from points, as MONAI Label's clients ask for it."""
    identity = context.queue.model
    if model not in (identity.name, ANY_MODEL_NAME):
        raise HTTPException(404, f"there is no model of that name here; this one is {identity.name}")
    case_id = _case(context, image)
    if not params.clicks:
        raise HTTPException(422, "params: there is no point in foreground or background")
    request = PredictObject("1", clicks=params.clicks, category=params.label)
    schema = context.workspace.schema
    shape = context.image(case_id)

    def answer(waited: float) -> Response:
        reply = context.predictor.predict(case_id, [request], schema.tidy_of, schema.prefers_part)
        seconds = replace(reply.seconds, encode=reply.seconds.encode + waited)
        return _answer(replace(reply, seconds=seconds), identity.name, params.label, shape, output)

    return await context.predictions.when_encoded(case_id, answer)


def _answer(reply: PredictReply, model: str, label: str | None, shape: CaseImage, output: Output | None) -> Response:
    (found,) = reply.objects
    seconds = reply.seconds
    text = {
        "label_names": {label or LABEL: 1},
        "score": found.score,
        "model": model,
        "latencies": {"pre": seconds.encode, "infer": seconds.decode, "total": seconds.encode + seconds.decode},
    }
    stem = PurePosixPath(shape.name).stem
    reply_bytes = infer_response(found.mask.on_image(shape.height, shape.width), text, output, stem)
    return Response(reply_bytes.content, headers={"Content-Type": reply_bytes.media_type})


def _case(context: ServerContext, wanted: str) -> int:
    """The case that an image id names. It is looked up in the worklist; no path is ever made of it."""
    names = {image.name: case_id for case_id, image in context.worklist.items()}
    if wanted in names:
        return names[wanted]
    stems = {PurePosixPath(name).stem: case_id for name, case_id in reversed(names.items())}
    if wanted in stems:
        return stems[wanted]
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 11 and int(wanted) in context.worklist:
        return int(wanted)
    raise HTTPException(404, "there is no image of that name in the worklist")
