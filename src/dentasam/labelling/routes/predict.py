"""Asking the model: masks from clicks and boxes, and masks that follow a stroke of the brush."""

from dataclasses import asdict, fields
from typing import Any

from fastapi import APIRouter, Response

from dentasam.labelling.inference.replies import Choice, PredictedObject, PredictReply
from dentasam.labelling.routes.context import (
    CaseId,
    ContextDep,
    Envelope,
    EnvelopeBody,
    envelope_answer,
    envelope_body,
    errors,
    read_document,
)
from dentasam.labelling.routes.envelope_documents import (
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
def predict(case_id: CaseId, body: EnvelopeBody, context: ContextDep) -> Response:
    """The model's masks for objects, each from its clicks and its box; pixels edited by hand stay as they are."""
    requests = read_document(body, PredictDocument, context.image(case_id)).objects
    schema = context.workspace.schema
    return Envelope(_document(context.predictor.predict(case_id, requests, schema.tidy_of, schema.prefers_part)))


@router.post(
    "/refine",
    response_class=Response,
    openapi_extra=envelope_body(RefineDocument),
    responses={200: envelope_answer(RefinementDocument), **_REFUSED},
)
def refine(case_id: CaseId, body: EnvelopeBody, context: ContextDep) -> Response:
    """The model's masks after strokes: one to three clicks are found in what each stroke changed."""
    requests = read_document(body, RefineDocument, context.image(case_id)).objects
    return Envelope(_document(context.predictor.refine(case_id, requests, context.workspace.schema.tidy_of)))


def _document(reply: PredictReply) -> dict[str, Any]:
    """A reply as it is packed; an object's `clicks` are there after a refinement."""
    return {
        "objects": [
            _shallow(found) | {"choices": [_shallow(one) for one in found.choices]} for found in reply.objects
        ],
        "model": asdict(reply.model),
        "seconds": asdict(reply.seconds),
        "picture": reply.picture,
    }


def _shallow(found: PredictedObject | Choice) -> dict[str, Any]:
    """The fields of an answer; its masks stay as they are, to be packed."""
    return {field.name: getattr(found, field.name) for field in fields(found)}
