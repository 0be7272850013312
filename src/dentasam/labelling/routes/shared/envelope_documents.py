"""The documents with masks, which travel in envelopes, as types.

FastAPI does not find them by itself: `ENVELOPE_DOCUMENTS` are added to the OpenAPI, from which the page's types are
made.
"""

from typing import Annotated, Literal

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
    SetMissing,
    SetStatus,
    Source,
)
from dentasam.labelling.routes.shared.documents import MAX_OBJECTS, CaseSummary, Comment, ModelIdentity, RequestBody


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
    confidence: float | None = Field(description="Of a proposal: that it is there and its category is right, 0 to 1.")
    proposed: bool = Field(description="Whether it is as the model proposed it, and nobody has accepted it.")
    touches: list[str] = Field(
        description="Of a proposal: operations by which people changed it, without undone ones."
    )


Proposals = Annotated[
    Literal["none", "pending", "there", "off"],
    Field(
        description="Whether the model's proposals are in the case: there, being made (pending), never made for it "
        "(none), or turned off or not possible with this model and these labels (off)."
    ),
]


class DamagedPart(BaseModel):
    """What the database cannot give back as it was stored; everything else of the case is in the answer."""

    object: str | None = Field(description="The object's id; null where it is not one object.")
    label: str | None = Field(description="The object's category, as far as it is known.")
    what: str = Field(description="One line for the user.")


class CaseDocument(BaseModel):
    case: CaseSummary
    objects: list[ObjectDocument]
    comments: list[Comment]
    missing: list[str] = Field(description="Numbers of teeth that were marked as missing, in chart order.")
    proposals: Proposals
    damaged: list[DamagedPart]


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


class StoredSetMissing(SetMissing, Stamps): ...


StoredOperation = Annotated[
    StoredCreate
    | StoredChangeMask
    | StoredRelabel
    | StoredParent
    | StoredLock
    | StoredAccept
    | StoredDelete
    | StoredSetStatus
    | StoredSetMissing,
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
