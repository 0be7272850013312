"""The documents with masks, which travel in envelopes, as types.

FastAPI does not find them by itself: `ENVELOPE_DOCUMENTS` are added to the OpenAPI, from which the page's types are
made.
"""

from typing import Annotated

from pydantic import BaseModel, Field

from dentasam.labelling.inference.requests import Clicks, PredictObject, RefineObject
from dentasam.labelling.log.operations import (
    MAX_OPERATIONS,
    Accept,
    AnsweredBy,
    ChangeMask,
    Create,
    Delete,
    Lock,
    Mask,
    ModelScore,
    Operation,
    Parent,
    Prompts,
    Relabel,
    SetStatus,
    Source,
)
from dentasam.labelling.routes.documents import CaseSummary, Comment, ModelIdentity, RequestBody

MAX_OBJECTS = 256


class ObjectDocument(BaseModel):
    """An object after all operations of its case."""

    id: str
    category: str | None
    parent: str | None
    locked: bool
    accepted: bool
    deleted: bool
    source: Source
    score: float | None
    model: ModelScore | None
    prompts: Prompts | None
    mask: Mask
    painted: Mask
    erased: Mask
    area: int
    revision: int
    annotator: str


class CaseDocument(BaseModel):
    case: CaseSummary
    objects: list[ObjectDocument]
    comments: list[Comment]


class OperationsDocument(RequestBody):
    operations: Annotated[list[Operation], Field(max_length=MAX_OPERATIONS)]


class Stamps(BaseModel):
    """What the server adds to an operation."""

    revision: int
    annotator: str
    received: str = Field(description="The server's clock, ISO 8601 in UTC.")


class StoredCreate(Create, Stamps): ...


class StoredChangeMask(ChangeMask, Stamps): ...


class StoredRelabel(Relabel, Stamps): ...


class StoredParent(Parent, Stamps): ...


class StoredLock(Lock, Stamps): ...


class StoredAccept(Accept, Stamps): ...


class StoredDelete(Delete, Stamps): ...


class StoredSetStatus(SetStatus, Stamps): ...


StoredOperation = Annotated[
    StoredCreate
    | StoredChangeMask
    | StoredRelabel
    | StoredParent
    | StoredLock
    | StoredAccept
    | StoredDelete
    | StoredSetStatus,
    Field(discriminator="kind"),
]


class LogDocument(BaseModel):
    """Operations of a case's log, oldest first."""

    revision: int
    operations: list[StoredOperation]


class ConflictDocument(LogDocument):
    """What the page has not seen yet. Nothing of its request was stored."""

    objects: list[ObjectDocument]


class PredictDocument(RequestBody):
    objects: Annotated[list[PredictObject], Field(min_length=1, max_length=MAX_OBJECTS)]


class Seconds(BaseModel):
    encode: float
    decode: float


class Choice(BaseModel):
    """One of the masks that a click may mean, such as a tooth or its filling."""

    mask: Mask
    score: float
    answered_by: AnsweredBy


class PredictedObject(BaseModel):
    id: str
    mask: Mask
    score: float
    answered_by: AnsweredBy | None = Field(
        description="Whether the model saw an object window or the whole image; null where it was not asked."
    )
    choices: list[Choice] = Field(
        description="What the click may mean, the largest first, `mask` among it; empty unless asked for."
    )


PictureHash = Annotated[
    str,
    Field(
        description="Hash of the image file behind the masks; if it is not `X-Image-Picture`, the file was replaced."
    ),
]


class PredictionDocument(BaseModel):
    objects: list[PredictedObject]
    model: ModelIdentity
    seconds: Seconds
    picture: PictureHash


class RefineDocument(RequestBody):
    objects: Annotated[list[RefineObject], Field(min_length=1, max_length=MAX_OBJECTS)]


class RefinedObject(PredictedObject):
    clicks: Clicks = Field(description="All clicks used: the old ones and those found in the stroke.")


class RefinementDocument(BaseModel):
    objects: list[RefinedObject]
    model: ModelIdentity
    seconds: Seconds
    picture: PictureHash


ENVELOPE_DOCUMENTS = (
    CaseDocument,
    OperationsDocument,
    LogDocument,
    ConflictDocument,
    PredictDocument,
    PredictionDocument,
    RefineDocument,
    RefinementDocument,
)
