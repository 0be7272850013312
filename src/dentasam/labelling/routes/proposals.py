"""Numbers for objects, as a whole; and the switch of the proposals."""

from fastapi import APIRouter, HTTPException

from dentasam.errors import WorkspaceError
from dentasam.labelling.proposals.numbering import AskedObject, number_objects
from dentasam.labelling.routes.shared.capacity import threads_of
from dentasam.labelling.routes.shared.context import CaseId, ContextDep, errors
from dentasam.labelling.routes.shared.documents import (
    NumberBody,
    NumberedObject,
    Numbers,
    OfferedNumber,
    ProposalsSwitch,
)

router = APIRouter(prefix="/api", tags=["proposals"])


@router.post("/cases/{case_id}/number", responses=errors(404, 410, 503))
@threads_of("model")
def number(case_id: CaseId, body: NumberBody, context: ContextDep) -> Numbers:
    """Offers numbers for objects from boxes and masks of all objects of the case; nothing is decoded or stored.

    Objects that are stored and not named in the request stand beside those of the request: with their number where
    a person gave or accepted it.
    """
    image = context.image(case_id)
    asked = [AskedObject(each.id, each.box, each.number) for each in body.objects]
    found, seconds = number_objects(
        context.queue, (image.height, image.width), asked, context.store.state(case_id).present
    )
    objects = [
        NumberedObject(
            id=each.id,
            offers=[OfferedNumber(number=offer.number, confidence=offer.confidence) for offer in each.offers],
        )
        for each in found
    ]
    return Numbers(objects=objects, seconds=seconds)


@router.put("/proposals", responses=errors(507))
def put_proposals(switch: ProposalsSwitch, context: ContextDep) -> ProposalsSwitch:
    """Turns the model's proposals on or off for the workspace; those that are there stay."""
    proposer = context.proposer
    if proposer.switch is None or context.queue.chart_key is None:
        raise HTTPException(422, "this server makes no proposals; start it with a model that charts, and with teeth")
    try:
        proposer.turn(switch.on)
    except WorkspaceError as error:
        raise HTTPException(507, context.public_message(str(error))) from None
    if switch.on:
        context.queue.chart_again()
    return switch
