"""Whether the server runs, and what a page needs when it starts."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import PlainTextResponse

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.errors import WorkspaceError
from dentasam.labelling.auth.middleware import IMAGE_BODY_BYTES, MASK_BODY_BYTES
from dentasam.labelling.routes.shared.context import Annotator, ContextDep, errors
from dentasam.labelling.routes.shared.documents import Limits, ModelIdentity, Session
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.version import __version__

router = APIRouter(tags=["session"])


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Open to everybody; answers only ok."""
    # Not in a thread: it answers also while all threads are at work.
    return "ok"


@router.get("/api/session")
def session(context: ContextDep, annotator: Annotator) -> Session:
    """The annotator, the workspace, the model and the limits."""
    switch = None if context.queue.chart_key is None else context.proposer.switch
    return Session(
        annotator=annotator,
        workspace=context.workspace.id,
        folder=context.workspace.folder.name,
        model=ModelIdentity.model_validate(context.queue.model),
        labels=context.workspace.schema,
        idle_seconds=context.idle_seconds,
        limits=Limits(pixels=PIXEL_LIMIT, body_bytes=MASK_BODY_BYTES, image_bytes=IMAGE_BODY_BYTES),
        no_images=context.image_adder.obstacle,
        sign_out=context.access.annotators is not None,
        proposals=switch,
        numbers=switch is not None,
        version=__version__,
    )


@router.put("/api/schema", responses=errors(507))
def put_schema(schema: LabelSchema, context: ContextDep) -> LabelSchema:
    """Replaces the workspace's labels; objects keep the names of theirs."""
    try:
        context.workspace.set_schema(schema)
    except WorkspaceError as error:
        raise HTTPException(507, context.public_message(str(error))) from None
    context.proposer.labels_changed()
    if context.proposer.on:
        context.queue.chart_again()
    return schema
