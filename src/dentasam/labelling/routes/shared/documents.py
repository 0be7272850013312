"""What the API takes and gives as JSON, as types. Documents with masks are in `envelope_documents`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dentasam.labelling.inference.requests import Box, Key
from dentasam.labelling.log.operations import Status
from dentasam.labelling.wire.fields import MAX_COMMENT_LENGTH, Name, Number, Switch, Whole
from dentasam.labelling.workspace.label_schema import LabelSchema

MAX_INTERVALS = 5000
MAX_OBJECTS = 256


def _plain(text: str) -> str:
    """Refuses control characters, which pages show as something else and some databases cannot store."""
    if any((ord(letter) < 32 and letter not in "\n\t") or ord(letter) == 127 for letter in text):
        raise ValueError("control characters are not taken")
    if not text.strip():
        raise ValueError("there is no text in it")
    return text


Text = Annotated[str, Field(min_length=1, max_length=MAX_COMMENT_LENGTH), AfterValidator(_plain)]


class RequestBody(BaseModel):
    """What a client sends; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Every answer that is an error."""

    detail: str = Field(description="One line for the user.")
    asks: Literal["numbering"] | None = Field(
        default=None, description="The parameter without which the request cannot be done; null where there is none."
    )
    damaged: list[str] | None = Field(
        default=None,
        description="Ids of the objects that are damaged in the database, where the request was about them; requests "
        "on other objects are answered. Null where it is another error.",
    )


class ModelIdentity(BaseModel):
    """Which model answers; the hashes are of the base's checkpoint and of the adapter's weights."""

    name: str
    sha256: str
    adapter: str | None
    adapter_sha256: str | None

    model_config = ConfigDict(from_attributes=True)


class Limits(BaseModel):
    pixels: int = Field(description="The largest number of pixels of an image.")
    body_bytes: int = Field(description="The largest size of a body with masks, in bytes.")
    image_bytes: int = Field(description="The largest size of an image file that is added, in bytes.")


class Session(BaseModel):
    annotator: str
    workspace: str = Field(description="The workspace's id, the same for as long as the workspace lives.")
    folder: str = Field(description="The name of the images' folder, for people.")
    model: ModelIdentity
    # pydantic's models have an attribute `schema` of their own.
    labels: LabelSchema = Field(alias="schema")
    idle_seconds: float = Field(description="After this long without input, time does not count as active any more.")
    limits: Limits
    no_images: str | None = Field(description="Why no image can be added here, in one line; null where one can.")
    sign_out: bool = Field(description="Whether annotators sign in here, and so can sign out.")
    proposals: bool | None = Field(
        description="Whether the model proposes objects in this workspace; null where it cannot."
    )
    numbers: bool = Field(description="Whether the model offers numbers for objects.")
    version: str

    model_config = ConfigDict(populate_by_name=True)


class CaseSummary(BaseModel):
    id: int
    name: str
    width: int
    height: int
    bits: Literal[8, 16]
    status: Status
    encoded: bool
    uncertainty: float | None
    objects: int = Field(description="Objects of people, without the untouched proposals.")
    proposed: int = Field(description="Proposals that nobody has accepted or changed.")
    revision: int
    comments: int
    active_seconds: float
    updated: str | None = Field(description="Time of the last change, ISO 8601 in UTC.")
    damaged: bool = Field(
        description="Whether the case is damaged in the database, as far as the server has met it: it opens without "
        "what is damaged, or not at all."
    )


class Comment(BaseModel):
    id: int
    annotator: str
    text: str
    time: str = Field(description="ISO 8601 in UTC.")


class NewComment(RequestBody):
    text: Text


class Stored(BaseModel):
    revision: int
    stored: int = Field(description="How many operations were new; those that the log had already are not counted.")


class TimeInterval(RequestBody):
    tool: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
    object: Annotated[str, Field(max_length=64, pattern=r"^[\w-]+$")] | None = None
    start: Annotated[Whole, Field(ge=0, le=1 << 53, description="Milliseconds since 1970.")]
    seconds: Annotated[Number, Field(ge=0, le=86_400)]


class TimeBody(RequestBody):
    intervals: Annotated[list[TimeInterval], Field(max_length=MAX_INTERVALS)]


class FailedCase(BaseModel):
    id: int
    name: str
    message: str


class Progress(BaseModel):
    """How far the encoding is, and what a page needs to know every few seconds."""

    encoded: int
    total: int
    current: str | None = Field(description="Name of the image that is being encoded.")
    workspace: str = Field(
        description="The worklist's workspace; differs from the session's after a restart on another one."
    )
    annotator: str = Field(
        description="The signed-in annotator; differs from the session's after somebody else signed in."
    )
    worklist: int = Field(description="Changes when the worklist has other cases, or a case is found to be damaged.")
    failed: list[FailedCase]
    proposing: list[int] = Field(description="Opened cases whose proposals are still being made.")


class ProposalsSwitch(RequestBody):
    """Whether the model proposes objects in this workspace."""

    on: Switch


class ObjectToNumber(RequestBody):
    """An object of the page.

    Without a box its stored mask's box is taken. An object with a number keeps it, and the others are numbered beside
    it.
    """

    id: Key
    box: Box | None = None
    number: Name | None = None


class NumberBody(RequestBody):
    objects: Annotated[list[ObjectToNumber], Field(min_length=1, max_length=MAX_OBJECTS)]


class OfferedNumber(BaseModel):
    number: str = Field(description="An FDI number, or `supernumerary`.")
    confidence: float = Field(description="0 to 1.")


class NumberedObject(BaseModel):
    id: str
    offers: list[OfferedNumber] = Field(description="The best number first, then up to three others.")


class Numbers(BaseModel):
    """The objects that were asked for without a number, in the order in which they were asked for."""

    objects: list[NumberedObject]
    seconds: float


class Picture(BaseModel):
    """What an image's file holds now."""

    picture: str | None = Field(description="A hash of it, null where the file cannot be read.")
    problem: str | None = Field(description="One line where it cannot be shown under the case's labels, else null.")


class PassedOverEntry(BaseModel):
    image: str
    annotation: int | None = Field(description="Id in the document; null where the whole image is passed over.")
    reason: str


class PassedOver(BaseModel):
    """What was not imported, or only in part."""

    images: int
    objects: int = Field(description="Annotations, including those on images that are passed over.")
    entries: list[PassedOverEntry] = Field(
        description="Each image and annotation with its reason, the first 200; also objects that lost a bad ring."
    )


class Imported(BaseModel):
    objects: int = Field(description="New objects; one that was imported before is not counted.")
    cases: int
    passed_over: PassedOver
    notes: list[str] = Field(
        description="What was decided or left out in reading, a line each; of more than 20 the last says how many."
    )


class DatasetFormat(BaseModel):
    """A format of datasets; what it keeps and loses is about overlap, holes, tags and the like."""

    name: str
    summary: str
    reads: bool
    writes: bool
    keeps: str
    loses: str
    missing: str | None = Field(description="What must be installed on the server first; null where nothing is.")


class CocoDocument(BaseModel):
    """COCO instances. Its details are checked when it is read; unknown keys are passed over."""

    images: Annotated[list[dict[str, Any]], Field(max_length=100_000)]
    annotations: Annotated[list[dict[str, Any]], Field(max_length=1_000_000)]
    categories: Annotated[list[dict[str, Any]], Field(max_length=10_000)]
    info: Any = Field(default=None, description="Its key `numbering` says how teeth are numbered; FDI without it.")


class MonaiModel(BaseModel):
    type: str
    labels: list[str]
    dimension: int
    description: str
    config: dict[str, Any]


class MonaiInfo(BaseModel):
    """What MONAI Label's clients ask first."""

    name: str
    description: str
    version: str
    labels: list[str]
    models: dict[str, MonaiModel]
    trainers: dict[str, Any]
    strategies: dict[str, Any]
    scoring: dict[str, Any]
    datastore: dict[str, Any]
