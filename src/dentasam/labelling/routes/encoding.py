"""Which images the model has encoded, and which it should encode next."""

from fastapi import APIRouter

from dentasam.labelling.routes.shared.context import Annotator, CaseId, ContextDep, errors
from dentasam.labelling.routes.shared.documents import FailedCase, Progress

router = APIRouter(prefix="/api", tags=["encoding"])
# How many cases of the worklist after the open one are encoded before all others.
CASES_AHEAD = 3


@router.post("/cases/{case_id}/open", status_code=204, responses=errors(404))
def open_case(case_id: CaseId, context: ContextDep) -> None:
    """Says that a case is open: it and the next ones of the worklist are encoded first."""
    context.image(case_id)
    context.proposer.open(case_id)
    order = list(context.worklist)
    place = order.index(case_id)
    context.queue.open(case_id, order[place + 1 : place + 1 + CASES_AHEAD])


@router.get("/progress")
def progress(context: ContextDep, annotator: Annotator) -> Progress:
    """How much of the worklist is encoded, and whether it has changed."""
    state = context.queue.progress()
    failed = [
        FailedCase(id=case_id, name=context.worklist[case_id].name, message=context.public_message(message))
        for case_id, message in state.failed.items()
    ]
    proposer = context.proposer
    proposing = proposer.waited_for if proposer.on and context.queue.chart_key is not None else []
    return Progress(
        encoded=state.encoded,
        total=state.total,
        current=state.current,
        workspace=context.workspace.id,
        annotator=annotator,
        worklist=context.worklist.changes + context.store.known_damage.changes,
        failed=failed,
        proposing=[case_id for case_id in proposing if case_id not in state.failed],
    )
