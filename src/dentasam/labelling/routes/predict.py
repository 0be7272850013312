"""Asking the model: masks from clicks and boxes, and masks that follow a stroke of the brush."""

from dataclasses import asdict, fields
from typing import Any

from fastapi import APIRouter, Response

from dentasam.labelling.inference.predictor import PredictReply, PredictRequest, RefineReply, RefineRequest
from dentasam.labelling.routes.context import (
    CaseId,
    Envelope,
    EnvelopeBody,
    Here,
    gives,
    problems,
    read_document,
    takes,
)
from dentasam.labelling.routes.enveloped import (
    PredictDocument,
    PredictionDocument,
    PredictObject,
    RefineDocument,
    RefinementDocument,
    RefineObject,
)

router = APIRouter(prefix="/api/cases/{case_id}", tags=["model"])
_REFUSED = problems(404, 410, 413, 415, 422, 503)


@router.post(
    "/predict",
    response_class=Response,
    openapi_extra=takes(PredictDocument),
    responses={200: gives(PredictionDocument), **_REFUSED},
)
def predict(case_id: CaseId, body: EnvelopeBody, here: Here) -> Response:
    """The model's masks for objects, each from its clicks and its box; pixels painted by hand stay as they are."""
    wanted = read_document(body, PredictDocument, here.image(case_id)).objects
    requests = [PredictRequest(**_asked(given, here)) for given in wanted]
    return Envelope(_document(here.inference.predict(case_id, requests)))


@router.post(
    "/refine",
    response_class=Response,
    openapi_extra=takes(RefineDocument),
    responses={200: gives(RefinementDocument), **_REFUSED},
)
def refine(case_id: CaseId, body: EnvelopeBody, here: Here) -> Response:
    """The model's masks after strokes: one to three clicks are found in what each stroke changed."""
    wanted = read_document(body, RefineDocument, here.image(case_id)).objects
    requests = [RefineRequest(**_asked(given, here)) for given in wanted]
    return Envelope(_document(here.inference.refine(case_id, requests)))


def _asked(given: PredictObject | RefineObject, here: Here) -> dict[str, Any]:
    """What the inference takes: in place of the label, what is tidied in its masks."""
    fields = dict(given)
    return fields | {"tidy": here.workspace.schema.tidy_of(fields.pop("category"))}


def _document(reply: PredictReply | RefineReply) -> dict[str, Any]:
    """A reply as it is packed; an object's `clicks` are there after a refinement."""
    return {
        "objects": [{field.name: getattr(found, field.name) for field in fields(found)} for found in reply.objects],
        "model": asdict(reply.model),
        "seconds": asdict(reply.seconds),
        "picture": reply.picture,
    }
