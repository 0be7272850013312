"""The worklist, one case with its objects, its log, and new operations on it."""

import re
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Response
from pydantic import BeforeValidator, TypeAdapter

from dentasam.errors import ImageError
from dentasam.labelling.log.append import Appended, RevisionConflict
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.operations import check_made_by_person, masks_of, parse_operations
from dentasam.labelling.routes.shared.capacity import in_threads_of, threads_of
from dentasam.labelling.routes.shared.context import (
    EXPECTED_SESSION,
    IF_MATCH,
    MAX_ID,
    Annotator,
    CaseId,
    ContextDep,
    Envelope,
    EnvelopeBody,
    ServerContext,
    envelope_answer,
    envelope_body,
    errors,
    held,
    plain_number,
    unpack_document,
)
from dentasam.labelling.routes.shared.documents import CaseSummary, Stored
from dentasam.labelling.routes.shared.envelope_documents import (
    CaseDocument,
    ConflictDocument,
    LogDocument,
    OperationsDocument,
)

router = APIRouter(prefix="/api/cases", tags=["cases"])
_WORKLIST = TypeAdapter(list[CaseSummary])
Since = Annotated[
    int, Query(ge=0, le=MAX_ID, description="Only operations after this revision."), BeforeValidator(plain_number)
]
REVISION = re.compile(r'"(0|[1-9][0-9]{0,9})"')
IfMatch = Annotated[
    str,
    Header(
        alias=IF_MATCH,
        max_length=100,
        description="The revision last seen, in quotes; 428 without it.",
        json_schema_extra={"pattern": f"^{REVISION.pattern}$"},
    ),
]
_TAG = {"ETag": {"description": "The case's revision, in quotes.", "schema": {"type": "string"}}}


@router.get("", response_model=list[CaseSummary])
@threads_of("reads")
def cases(context: ContextDep) -> Response:
    """The worklist, by name."""
    rows = [summary(context, case) for case in context.store.cases() if case.id in context.worklist]
    # Written here: FastAPI would write ten thousand rows in the event loop.
    return Response(_WORKLIST.dump_json(rows), media_type="application/json")


@router.get(
    "/{case_id}",
    response_class=Response,
    responses={200: envelope_answer(CaseDocument) | {"headers": _TAG}, **errors(404, 503)},
)
@threads_of("reads")
def case(case_id: CaseId, context: ContextDep) -> Response:
    """One case with its objects and comments."""
    context.image(case_id)
    state = context.store.state(case_id)
    known_case = context.store.case(case_id)
    shown = summary(context, known_case).model_dump(mode="json")
    # Both were read a moment apart, and somebody may have written in between; the objects' state counts.
    proposed = sum(known.proposed for known in state.present)
    shown |= {"revision": state.revision, "status": state.status}
    shown |= {"objects": len(state.present) - proposed, "proposed": proposed}
    damages = list(state.damaged)
    comments = context.store.comments(case_id, damages)
    shown |= {"damaged": _is_damaged(context, known_case)}
    document = {
        "case": shown,
        "objects": [known.document() for known in state.objects.values()],
        "comments": [asdict(comment) for comment in comments],
        "missing": list(state.missing),
        "proposals": context.proposer.state(known_case, _picture(context, case_id), context.queue.chart_key),
        "damaged": [{"object": each.object, "label": each.label, "what": each.line} for each in damages],
    }
    return Envelope(document, headers={"ETag": f'"{state.revision}"'})


@router.get(
    "/{case_id}/operations",
    response_class=Response,
    responses={200: envelope_answer(LogDocument) | {"headers": _TAG}, **errors(404, 412, 503)},
    dependencies=[EXPECTED_SESSION],
)
@threads_of("reads")
def log(
    case_id: CaseId,
    context: ContextDep,
    since: Annotated[
        int, BeforeValidator(plain_number), Query(ge=0, le=MAX_ID, description="Only operations after this revision.")
    ] = 0,
) -> Response:
    """The case's log, oldest first."""
    context.image(case_id)
    document = _log_since(context, case_id, since)
    return Envelope(document, headers={"ETag": f'"{document["revision"]}"'})


@router.post(
    "/{case_id}/operations",
    openapi_extra=envelope_body(OperationsDocument),
    responses={
        200: {"headers": _TAG},
        **errors(404, 412, 413, 415, 422, 428, 503, 507),
        409: envelope_answer(
            ConflictDocument, "Others changed the same objects since that revision; nothing was stored."
        ),
    },
    response_model=Stored,
    dependencies=[EXPECTED_SESSION],
)
async def append(
    case_id: CaseId,
    body: EnvelopeBody,
    context: ContextDep,
    annotator: Annotator,
    response: Response,
    if_match: IfMatch,
) -> Stored | Response:
    """Adds operations to the log, all or none. It may be sent again: those that are there already are passed over.

    Work of others on other objects since that revision is not a conflict; `revision` then counts that too.
    """
    context.image(case_id)
    expected = _revision(if_match)
    try:
        appended = await in_threads_of("writes", _append, context, case_id, body, expected, annotator)
    except RevisionConflict:
        await context.conflicts.wait(case_id)
        return await in_threads_of("reads", _conflict, context, case_id, expected)
    response.headers["ETag"] = f'"{appended.revision}"'
    return Stored(revision=appended.revision, stored=appended.stored)


def summary(context: ServerContext, case: Case) -> CaseSummary:
    """A row of the worklist."""
    values = asdict(case) | {"damaged": _is_damaged(context, case)}
    if case.damaged and case.id in context.worklist:
        # What its row says of the image may be what is damaged.
        image = context.worklist[case.id]
        values |= {"name": image.name, "width": image.width, "height": image.height, "bits": image.bits}
    return CaseSummary(**values, encoded=context.queue.encoded(case.id))


def _is_damaged(context: ServerContext, case: Case) -> bool:
    return case.damaged or case.id in context.store.known_damage


def _picture(context: ServerContext, case_id: int) -> str | None:
    """The hash of what the case's file holds now; None where it cannot be read or encoded."""
    if case_id in context.queue.progress().failed:
        return None
    try:
        return context.queue.picture(case_id)
    except ImageError:
        return None


def _append(context: ServerContext, case_id: int, body: bytes, expected: int, annotator: str) -> Appended:
    document = unpack_document(body, context.image(case_id))
    if document.keys() != {"operations"}:
        raise HTTPException(422, "the document has one key, operations")
    operations = parse_operations(document["operations"])
    check_made_by_person(operations)
    # One mask at a time is decoded.
    largest = max((mask.pixels for each in operations for mask in masks_of(each).values()), default=0)
    with held(largest):
        return context.store.append(case_id, operations, expected, annotator)


def _conflict(context: ServerContext, case_id: int, expected: int) -> Response:
    document = _log_since(context, case_id, expected)
    touched = {operation["object"] for operation in document["operations"]} - {None}
    objects = [known.document() for known in context.store.objects_of(case_id, touched)]
    return Envelope(document | {"objects": objects}, 409, {"ETag": f'"{document["revision"]}"'})


def _log_since(context: ServerContext, case_id: int, since: int) -> dict[str, Any]:
    operations = context.store.operations(case_id, since)
    # The revision of what is sent, even if more was written between the two reads.
    revision = operations[-1].revision if operations else context.store.case(case_id).revision
    return {"revision": revision, "operations": [stored.document() for stored in operations]}


def _revision(if_match: str) -> int:
    found = REVISION.fullmatch(if_match.strip())
    if found is None:
        raise HTTPException(422, 'If-Match holds a revision in quotes, as in If-Match: "7"')
    return int(found[1])
