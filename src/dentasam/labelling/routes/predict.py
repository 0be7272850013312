"""Asking the model: masks from clicks and boxes, and masks that follow a stroke of the brush."""

from dataclasses import asdict, fields
from typing import Any

from fastapi import APIRouter, Response

from dentasam.labelling.inference.replies import Choice, PredictedObject, PredictReply
from dentasam.labelling.routes.shared.capacity import in_threads_of
from dentasam.labelling.routes.shared.context import (
    CaseId,
    ContextDep,
    Envelope,
    EnvelopeBody,
    envelope_answer,
    envelope_body,
    errors,
    read_document,
    unpacked,
)
from dentasam.labelling.routes.shared.envelope_documents import (
    PredictDocument,
    PredictionDocument,
    RefineDocument,
    RefinementDocument,
)

router = APIRouter(prefix="/api/cases/{case_id}", tags=["model"])
_REFUSED = errors(404, 410, 413, 415, 422, 503)


@router.post(
    "/predict",
    response_class=Response,
    openapi_extra=envelope_body(PredictDocument),
    responses={200: envelope_answer(PredictionDocument), **_REFUSED},
)
async def predict(case_id: CaseId, body: EnvelopeBody, context: ContextDep) -> Response:
    """The model's masks for objects, each from its clicks and its box; pixels edited by hand stay as they are."""
    image, schema = context.image(case_id), context.workspace.schema
    asked = await in_threads_of("model", read_document, body, PredictDocument, image)

    def answer(waited: float) -> Response:
        with unpacked(asked.objects) as objects:
            reply = context.predictor.predict(case_id, objects, schema.tidy_of, schema.prefers_part)
            return Envelope(_document(reply, waited))

    return await context.predictions.when_encoded(case_id, answer)


@router.post(
    "/refine",
    response_class=Response,
    openapi_extra=envelope_body(RefineDocument),
    responses={200: envelope_answer(RefinementDocument), **_REFUSED},
)
async def refine(case_id: CaseId, body: EnvelopeBody, context: ContextDep) -> Response:
    """The model's masks after strokes: one to three clicks are found in what each stroke changed."""
    image, schema = context.image(case_id), context.workspace.schema
    asked = await in_threads_of("model", read_document, body, RefineDocument, image)

    def answer(waited: float) -> Response:
        with unpacked(asked.objects) as objects:
            return Envelope(_document(context.predictor.refine(case_id, objects, schema.tidy_of), waited))

    return await context.predictions.when_encoded(case_id, answer)


def _document(reply: PredictReply, waited: float) -> dict[str, Any]:
    """A reply as it is packed; an object's `clicks` are there after a refinement.

    waited: seconds for the encoding, before the model was asked.
    """
    return {
        "objects": [
            _shallow(found) | {"choices": [_shallow(one) for one in found.choices]} for found in reply.objects
        ],
        "model": asdict(reply.model),
        "seconds": {"encode": reply.seconds.encode + waited, "decode": reply.seconds.decode},
        "picture": reply.picture,
    }


def _shallow(found: PredictedObject | Choice) -> dict[str, Any]:
    """The fields of an answer; its masks stay as they are, to be packed."""
    return {field.name: getattr(found, field.name) for field in fields(found)}
