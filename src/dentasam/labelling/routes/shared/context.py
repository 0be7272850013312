"""What the routes share: the parts of the server, the annotator, envelopes, and entries of the OpenAPI."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Depends, Header, HTTPException, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, BeforeValidator, ValidationError

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.documents.shown import cut
from dentasam.documents.validation import first_error
from dentasam.labelling.auth.access import Access
from dentasam.labelling.exchange.added_images import ImageAdder
from dentasam.labelling.inference.requests import PredictObject, RefineObject
from dentasam.labelling.log.worklist import Worklist
from dentasam.labelling.routes.shared.capacity import Budget
from dentasam.labelling.routes.shared.conflicts import ConflictWaits
from dentasam.labelling.routes.shared.documents import Problem
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, EnvelopeError, pack, unpack
from dentasam.labelling.workspace.workspace import CaseImage, Workspace
from dentasam.visible_text import visible

if TYPE_CHECKING:
    from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
    from dentasam.labelling.inference.predictor import Predictor
    from dentasam.labelling.log.store import Store
    from dentasam.labelling.proposals.proposer import Proposer
    from dentasam.labelling.routes.shared.predictions import Predictions

Document = TypeVar("Document", bound=BaseModel)
Asked = TypeVar("Asked", PredictObject, RefineObject)
Schema = dict[str, Any]
# The database numbers them; a larger number would overflow its column.
MAX_ID = 2**31 - 1
MAX_DETAIL_LENGTH = 300
# What all requests may hold at once. One may have the three masks of an object of the largest image.
PIXELS_AT_ONCE = Budget(4 * PIXEL_LIMIT, 1 << 20, "masks")
BODY_BYTES_AT_ONCE = Budget(256 * 1024 * 1024, 1 << 20, "large requests")
# Without this header of a write, which its route requires, the answer is 428.
IF_MATCH = "If-Match"


@dataclass(frozen=True)
class ServerContext:
    """The parts of one server."""

    workspace: Workspace
    store: "Store"
    worklist: Worklist
    queue: "EncodeQueue"
    predictor: "Predictor"
    predictions: "Predictions"
    access: Access
    image_adder: ImageAdder
    proposer: "Proposer"
    idle_seconds: float = 30.0
    page: Path | None = None
    assets: Mapping[str, Path] = field(default_factory=dict)
    conflicts: ConflictWaits = field(default_factory=ConflictWaits)

    def public_message(self, message: str) -> str:
        """A message in one line, with file names in place of whole paths, which only the terminal may show."""
        for image in self.worklist.values():
            message = message.replace(str(image.path), image.name)
        for folder, name in ((self.workspace.root, "the workspace"), (self.workspace.folder, "the image folder")):
            message = message.replace(str(folder), name)
        return one_line(message)

    def image(self, case_id: int) -> CaseImage:
        """The image of a case. Raises HTTPException 404."""
        image = self.worklist.get(case_id)
        if image is None:
            raise HTTPException(404, f"there is no case {case_id} in this workspace")
        return image


async def _context(request: Request) -> ServerContext:
    context: ServerContext = request.app.state.context
    return context


async def _annotator(request: Request) -> str:
    name: str = request.state.annotator
    return name


async def _expected_session(
    request: Request,
    workspace: Annotated[
        str | None, Header(alias="X-Workspace", max_length=100, description="The id of the workspace that is meant.")
    ] = None,
    annotator: Annotated[
        str | None,
        Header(alias="X-Annotator", max_length=1000, description="The annotator that is meant, percent-encoded."),
    ] = None,
) -> None:
    """Refuses a request that is meant for another workspace, where a case is another image, or another annotator."""
    context: ServerContext = request.app.state.context
    if workspace is not None and workspace != context.workspace.id:
        raise HTTPException(412, "another workspace answers at this address")
    if annotator is not None and unquote(annotator) != request.state.annotator:
        raise HTTPException(412, "another annotator is signed in")


async def _envelope(request: Request) -> AsyncIterator[bytes]:
    """The whole body, whose size the middleware has limited. Raises ServerBusy where others hold too much."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise HTTPException(415, f"the body must be of the type {MEDIA_TYPE}")
    budget = BODY_BYTES_AT_ONCE
    blocks: list[bytes] = []
    size = 0
    try:
        async for block in request.stream():
            budget.claim(size, len(block))
            size += len(block)
            blocks.append(block)
        body = b"".join(blocks)
        blocks.clear()
        yield body
    finally:
        budget.release(size)


ContextDep = Annotated[ServerContext, Depends(_context)]
Annotator = Annotated[str, Depends(_annotator)]


def plain_number(written: Any) -> Any:
    """A number as an address has it. Raises ValueError where it is not digits alone, as in `1.0` and `1_0`."""
    if isinstance(written, str) and not (written.isascii() and written.isdigit()):
        raise ValueError("write a whole number in digits")
    return written


# A dependency of the routes that read and write the log.
EXPECTED_SESSION = Depends(_expected_session)
EnvelopeBody = Annotated[bytes, Depends(_envelope)]
CaseId = Annotated[int, PathParameter(ge=1, le=MAX_ID), BeforeValidator(plain_number)]


class Envelope(Response):
    """A document with masks behind it."""

    media_type = MEDIA_TYPE

    def __init__(self, document: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(pack(document), status_code, headers)


def one_line(text: str) -> str:
    """Text for the page: one line of at most MAX_DETAIL_LENGTH characters, all of them seen, and valid in UTF-8."""
    return cut(visible(" ".join(text.encode("utf-8", "replace").decode("utf-8").split())), MAX_DETAIL_LENGTH)


def unpack_document(body: bytes, image: CaseImage) -> dict[str, Any]:
    """The document of an envelope: a JSON object, with BoxMasks in it that fit the image. Raises EnvelopeError."""
    document = unpack(body, size=(image.height, image.width))
    if not isinstance(document, dict):
        raise EnvelopeError("the document is not an object")
    return document


def read_document(body: bytes, kind: type[Document], image: CaseImage) -> Document:
    """A request's document, checked: all its masks fit the image. Raises EnvelopeError."""
    try:
        return kind.model_validate(unpack_document(body, image))
    except ValidationError as error:
        raise EnvelopeError(first_error(error)) from None


def held(pixels: int) -> AbstractContextManager[None]:
    """Holds a claim to pixels of masks in memory. Raises ServerBusy where others hold too much."""
    return PIXELS_AT_ONCE.claimed(pixels)


@contextmanager
def unpacked(objects: Sequence[Asked]) -> Iterator[list[Asked]]:
    """The objects of a request with the bits of their masks in memory. Raises ServerBusy where others hold too much.

    objects: dataclasses with BoxMasks among their fields.
    """
    masks: list[dict[str, Any]] = [
        {field.name: value for field in fields(each) if isinstance(value := getattr(each, field.name), BoxMask)}
        for each in objects
    ]
    with held(sum(mask.pixels for own in masks for mask in own.values())):
        yield [
            replace(each, **{name: mask.unpacked() for name, mask in own.items()})
            for each, own in zip(objects, masks, strict=True)
        ]


def errors(*statuses: int) -> dict[int | str, Schema]:
    """OpenAPI's entries for the errors of a route."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in statuses}


def envelope_body(kind: type[BaseModel]) -> Schema:
    """OpenAPI's entry for a body that is an envelope with a document of this kind."""
    return {"requestBody": {"required": True, "content": _content(kind)}}


def envelope_answer(kind: type[BaseModel], description: str = "An envelope.") -> Schema:
    """OpenAPI's entry for an answer that is an envelope with a document of this kind."""
    return {"description": description, "content": _content(kind)}


def binary_answer(media_type: str, description: str) -> Schema:
    """OpenAPI's entry for an answer in bytes."""
    return {"description": description, "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def _content(kind: type[BaseModel]) -> Schema:
    return {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


_MEANINGS = {
    400: "The request is not valid HTTP.",
    401: "There is no token, or a wrong one.",
    403: "The write came from a page of another site.",
    404: "There is no such case or file.",
    409: "The case has changed meanwhile; an image cannot be added, or another one has its name.",
    410: "The image's file is gone or damaged.",
    412: "The workspace or the annotator is another than the one that is meant; nothing was stored.",
    413: "The body is too large.",
    415: "The body is of another type.",
    421: "The Host header does not name this server.",
    422: "The request is malformed.",
    428: "If-Match is missing.",
    429: "Too many failed attempts.",
    500: "The server failed; its terminal shows more.",
    503: "Nothing was done: the server has too much to do (then with Retry-After), is stopping, or has no model; or "
    "what is asked for is damaged in the database.",
    507: "The disk is full; nothing was stored.",
}
