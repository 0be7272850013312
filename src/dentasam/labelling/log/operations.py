"""The operations on a case: what the page sends and the log keeps.

Undo and redo are new operations of the same kinds, with `undoes` set to the operation that they undo. Unknown keys
are errors, and every list and text has a limit, so that the log holds nothing that the server does not understand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema

from dentasam.documents.validation import first_error
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.fields import MAX_CLICKS, Name, Number, Pixel, Sign, Switch, Whole

Status = Literal["new", "in-progress", "done", "needs-review", "approved"]
Source = Literal["manual", "model", "import", "proposal"]
AnsweredBy = Literal["window", "whole"]
Tool = Literal[
    "click",
    "box",
    "brush",
    "eraser",
    "lasso",
    "fill-holes",
    "drop-islands",
    "smooth",
    "refine",
    "choice",
    "neighbour",
]

MAX_OPERATIONS = 2000
MAX_STROKE_POINTS = 100_000
# Far later than any date, and exact in a 64-bit integer and in a JavaScript number.
MAX_TIME = 1 << 53
# Whose operations proposals are. No person can have this name: names have no parentheses.
MODEL_ANNOTATOR = "(model)"

Id = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", to_lower=True),
    Field(description="A UUID, made by the client."),
]

Mask = Annotated[
    InstanceOf[BoxMask],
    WithJsonSchema(
        {
            "type": "object",
            "title": "MaskRef",
            "description": "A mask's box in pixels of the image, and where its runs lie among the envelope's blobs.",
            "properties": {
                key: {"type": "integer", "minimum": 0} for key in ("x", "y", "width", "height", "offset", "length")
            },
            "required": ["x", "y", "width", "height", "offset", "length"],
            "additionalProperties": False,
        }
    ),
]


class OperationError(ValueError):
    """An operation is malformed or not possible on its case. The message is one line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelScore(_Strict):
    """Which model proposed a mask, the IoU it expected, and whether it saw an object window or the whole image.

    `answered_by` is absent in logs from before there were object windows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: Annotated[str, StringConstraints(max_length=500)]
    sha256: Annotated[str, StringConstraints(max_length=128)] | None = None
    adapter: Annotated[str, StringConstraints(max_length=500)] | None = None
    adapter_sha256: Annotated[str, StringConstraints(max_length=128)] | None = None
    score: Number | None = None
    answered_by: AnsweredBy | None = None


class Prompts(_Strict):
    """All clicks (x, y, 1 positive or 0 negative) and the box (x0, y0, x1, y1) an object has, in image pixels."""

    clicks: Annotated[list[tuple[Pixel, Pixel, Sign]], Field(max_length=MAX_CLICKS)] = []
    box: tuple[Pixel, Pixel, Pixel, Pixel] | None = None


class Stroke(_Strict):
    """The path of one stroke of brush, eraser or lasso; size is the diameter or side in image pixels."""

    shape: Literal["round", "square"]
    size: Annotated[Number, Field(ge=0, le=100_000)]
    points: Annotated[list[tuple[Pixel, Pixel]], Field(max_length=MAX_STROKE_POINTS)]
    limited: Switch = False


class CreateData(_Strict):
    """What an object begins with. A proposal is an object that the model found before anybody clicked.

    prompts, model, confidence: of proposals alone: the click behind the mask, so that corrections go on from it, the
    model, and the probability that the object is there and its category is right.
    """

    category: Name | None = None
    parent: Id | None = None
    source: Source
    prompts: Prompts | None = None
    model: ModelScore | None = None
    confidence: Annotated[Number, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _check_source(self) -> "CreateData":
        given = self.prompts, self.model, self.confidence
        if self.source != "proposal" and any(value is not None for value in given):
            raise ValueError("prompts, model and confidence are for proposals alone")
        return self


class MaskData(_Strict):
    tool: Tool
    prompts: Prompts | None = None
    stroke: Stroke | None = None
    model: ModelScore | None = None


class RelabelData(_Strict):
    category: Name | None


class ParentData(_Strict):
    parent: Id | None


class LockData(_Strict):
    locked: Switch


class AcceptData(_Strict):
    accepted: Switch


class DeleteData(_Strict):
    """withdrawn: the model takes back a proposal that no person has touched."""

    deleted: Switch
    withdrawn: Switch = False

    @model_validator(mode="after")
    def _check_withdrawn(self) -> "DeleteData":
        if self.withdrawn and not self.deleted:
            raise ValueError("what is withdrawn is deleted")
        return self


class StatusData(_Strict):
    status: Status


class MissingData(_Strict):
    """A tooth that the patient does not have, by its FDI number."""

    number: Annotated[str, StringConstraints(pattern=r"^([1-4][1-8]|[5-8][1-5])$")]
    missing: Switch


class _Operation(_Strict):
    id: Id
    time: Annotated[Whole, Field(ge=0, le=MAX_TIME, description="The client's clock, milliseconds since 1970.")]
    undoes: Id | None = None


class _ObjectOperation(_Operation):
    object: Id


class Create(_ObjectOperation):
    kind: Literal["create"]
    data: CreateData
    mask: Mask | None = None


class ChangeMask(_ObjectOperation):
    """`mask` is the object's whole mask after it; `painted` and `erased` what was set and cleared by hand so far.

    Where `painted`, `erased`, `data.prompts` or `data.model` is absent, the object keeps what it had; null in
    `data.prompts` or `data.model` takes it away.
    """

    kind: Literal["mask"]
    data: MaskData
    mask: Mask
    painted: Mask | None = None
    erased: Mask | None = None


class Relabel(_ObjectOperation):
    kind: Literal["relabel"]
    data: RelabelData


class Parent(_ObjectOperation):
    kind: Literal["parent"]
    data: ParentData


class Lock(_ObjectOperation):
    kind: Literal["lock"]
    data: LockData


class Accept(_ObjectOperation):
    kind: Literal["accept"]
    data: AcceptData


class Delete(_ObjectOperation):
    """An object that is deleted stays in the log and in the state; `deleted: false` brings it back."""

    kind: Literal["delete"]
    data: DeleteData


class SetStatus(_Operation):
    kind: Literal["status"]
    object: None = None
    data: StatusData


class SetMissing(_Operation):
    kind: Literal["missing"]
    object: None = None
    data: MissingData


Operation = Annotated[
    Create | ChangeMask | Relabel | Parent | Lock | Accept | Delete | SetStatus | SetMissing,
    Field(discriminator="kind"),
]
_adapter: TypeAdapter[Operation] = TypeAdapter(Operation)
_MASKS = ("mask", "painted", "erased")


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation as the log keeps it. `received` is the server's clock, ISO 8601 in UTC."""

    operation: Operation
    revision: int
    annotator: str
    received: str

    def document(self) -> dict[str, Any]:
        """What the API sends: the operation with the server's stamps; masks are BoxMasks, ready to be packed."""
        stamps = {"revision": self.revision, "annotator": self.annotator, "received": self.received}
        return document_of(self.operation) | stamps


def parse_operations(documents: Any) -> list[Operation]:
    """Operations from the list in an envelope's document. Raises OperationError that names the first error."""
    if not isinstance(documents, list):
        raise OperationError("'operations' is not a list")
    if len(documents) > MAX_OPERATIONS:
        raise OperationError(f"more than {MAX_OPERATIONS} operations at once; send them in parts")
    return [parse_operation(document, f"operations[{index}]") for index, document in enumerate(documents)]


def parse_operation(document: Any, where: str = "operation") -> Operation:
    """One operation from a document with BoxMasks in it. Raises OperationError that starts with `where`."""
    try:
        return _adapter.validate_python(document)
    except ValidationError as error:
        raise OperationError(first_error(error, where)) from None


def document_of(operation: Operation) -> dict[str, Any]:
    """The operation as the page sent it, without the keys that it left out; masks are BoxMasks."""
    fields = operation.model_dump(exclude_unset=True, exclude=set(_MASKS))
    return fields | {"object": operation.object} | masks_of(operation)


def masks_of(operation: Operation) -> dict[str, BoxMask]:
    """The masks of an operation by key."""
    found = {key: getattr(operation, key, None) for key in _MASKS}
    return {key: mask for key, mask in found.items() if mask is not None}


def check_made_by_person(operations: Sequence[Operation]) -> None:
    """Raises OperationError for what only the server does: proposals, and taking them back."""
    for operation in operations:
        proposes = isinstance(operation, Create) and operation.data.source == "proposal"
        if proposes or is_withdrawal(operation):
            raise OperationError(f"operation {operation.id}: only the server makes proposals and withdraws them")


def is_withdrawal(operation: Operation) -> bool:
    """Whether the model takes a proposal back."""
    return isinstance(operation, Delete) and operation.data.withdrawn


def check_masks(operations: Sequence[Operation], height: int, width: int) -> None:
    """Raises OperationError if a mask does not fit the image."""
    for operation in operations:
        for key, mask in masks_of(operation).items():
            if not mask.fits(height, width):
                box = f"{mask.x}, {mask.y}, {mask.width} x {mask.height}"
                raise OperationError(
                    f"operation {operation.id}: {key} in the box {box} does not fit the image of {width} x {height}"
                )
