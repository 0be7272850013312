"""Comments on a case, and the time that was worked on it."""

from fastapi import APIRouter

from dentasam.labelling.routes.shared.capacity import threads_of
from dentasam.labelling.routes.shared.context import Annotator, CaseId, ContextDep, errors
from dentasam.labelling.routes.shared.documents import Comment, NewComment, TimeBody

router = APIRouter(prefix="/api/cases/{case_id}", tags=["notes"])


@router.get("/comments", responses=errors(404))
@threads_of("reads")
def comments(case_id: CaseId, context: ContextDep) -> list[Comment]:
    """The comments on a case, oldest first."""
    context.image(case_id)
    return [Comment.model_validate(comment, from_attributes=True) for comment in context.store.comments(case_id)]


@router.post("/comments", status_code=201, responses=errors(404, 503, 507))
@threads_of("writes")
def comment(case_id: CaseId, given: NewComment, context: ContextDep, annotator: Annotator) -> Comment:
    """Adds a comment: plain text, shown as it was typed."""
    context.image(case_id)
    return Comment.model_validate(context.store.add_comment(case_id, annotator, given.text), from_attributes=True)


@router.post("/time", status_code=204, responses=errors(404, 503, 507))
@threads_of("writes")
def add_time(case_id: CaseId, given: TimeBody, context: ContextDep, annotator: Annotator) -> None:
    """Adds spans of active work; the page has left idle time out."""
    context.image(case_id)
    context.store.add_time(case_id, annotator, given.intervals, context.idle_seconds)
