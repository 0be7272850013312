"""Labels as files of any dataset format, and labels from such files."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import ValidationError

from dentasam.data.formats.catalogue import FORMATS, Format
from dentasam.data.formats.registry import missing_extra, readable, writable
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_dataset_json
from dentasam.documents.validation import first_error
from dentasam.labelling.exchange.annotation_files import import_annotation_file
from dentasam.labelling.exchange.correction_log import log_lines
from dentasam.labelling.exchange.exports import FINISHED, coco_document, write_zip
from dentasam.labelling.exchange.import_bounds import ImportBounds
from dentasam.labelling.exchange.import_report import ImportReport
from dentasam.labelling.exchange.imports import import_coco
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.database.damage import Damage
from dentasam.labelling.log.operations import Status
from dentasam.labelling.routes.shared.capacity import imported_for
from dentasam.labelling.routes.shared.context import (
    Annotator,
    ContextDep,
    ServerContext,
    binary_answer,
    errors,
    one_line,
)
from dentasam.labelling.routes.shared.documents import (
    CocoDocument,
    DatasetFormat,
    Imported,
    PassedOver,
    PassedOverEntry,
)
from dentasam.labelling.routes.shared.uploads import FILE_BODY, check_type, received_file, safe_file_name

router = APIRouter(prefix="/api", tags=["files"])
# Beyond this a ZIP is built on the disk.
MAX_MEMORY_BYTES = 32 * 1024 * 1024
MAX_NOTES = 20
BLOCK = 1 << 20
ExportNumbers = Annotated[Numbering, Query(description="How teeth are numbered in the files.")]
ImportNumbers = Annotated[
    Numbering | None, Query(description="How teeth are numbered in the file; recognised if left out.")
]
Finished = Annotated[bool, Query(description="Only cases that are done or approved.")]


@router.get("/export/coco", response_model=CocoDocument)
def export_coco(
    context: ContextDep, finished: Finished = False, numbering: ExportNumbers = Numbering.fdi
) -> Response:
    """All objects as COCO with RLE masks; image paths are relative to the image folder.

    `info.damaged` and the header X-Damaged say what is damaged in the database and therefore left out.
    """
    damages: list[Damage] = []
    # A response class skips the check of thousands of annotations that were made just now.
    return JSONResponse(
        coco_document(context.store, context.workspace, _statuses(finished), numbering, damages),
        headers=_named("labels.json", damages),
    )


@router.get(
    "/export/log",
    response_class=Response,
    responses={200: binary_answer("application/x-ndjson", "A JSON object per labelled object.")},
)
def export_log(context: ContextDep, finished: Finished = False) -> Response:
    """The correction log: what the model proposed and what became of it."""
    damages: list[Damage] = []
    lines = log_lines(context.store, context.workspace, _statuses(finished), damages=damages)

    def write(file: IO[bytes]) -> None:
        file.writelines(line.encode() for line in lines)

    file = _spooled(write)
    headers = _named("corrections.ndjson", damages)
    return StreamingResponse(_blocks(file), media_type="application/x-ndjson", headers=headers)


@router.get(
    "/export/timing",
    response_class=Response,
    responses={200: {"description": "A table.", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def export_timing(context: ContextDep) -> Response:
    """Active time per case, tool and object."""
    damages: list[Damage] = []
    table = timing_csv(context.store, damages)
    return Response(table, media_type="text/csv", headers=_named("timing.csv", damages))


@router.get(
    "/export/{format}",
    response_class=Response,
    responses={
        200: binary_answer("application/zip", "The annotation files of the format; images are not among them."),
        **errors(404, 422),
    },
)
def export_format(
    context: ContextDep,
    format: Annotated[str, PathParam(max_length=40, description="A name of /api/formats that is written.")],
    finished: Finished = False,
    numbering: ExportNumbers = Numbering.fdi,
) -> Response:
    """All objects in a dataset format, as a ZIP. The header X-Lost says in one line what the format cannot keep.

    X-Damaged says what is damaged in the database and therefore left out; the file DAMAGED.txt lists all of it.
    """
    if format not in writable():
        raise HTTPException(
            404, f"there is no export of this name; choose one of {', '.join(writable())}, log, timing"
        )
    lost: list[str] = []
    damages: list[Damage] = []

    def write(file: IO[bytes]) -> None:
        lost.extend(
            write_zip(Format(format), context.store, context.workspace, file, _statuses(finished), numbering, damages)
        )

    file = _spooled(write)
    headers = _named("masks.zip" if format == Format.png else f"{format}.zip", damages)
    if lost:
        headers["X-Lost"] = quote(one_line("; ".join(lost)))
    return StreamingResponse(_blocks(file), media_type="application/zip", headers=headers)


@router.get("/formats")
def list_formats() -> list[DatasetFormat]:
    """The dataset formats that annotations can be imported from and exported to."""
    return [
        DatasetFormat(
            name=name.value,
            summary=info.summary,
            reads=info.reads,
            writes=info.writes,
            keeps=info.keeps,
            loses=info.loses,
            missing=missing_extra(info),
        )
        for name, info in FORMATS.items()
    ]


@router.post(
    "/import/coco",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CocoDocument"}}},
        }
    },
    responses=errors(413, 415, 422, 503, 507),
)
async def import_annotations(
    request: Request, context: ContextDep, annotator: Annotator, numbering: ImportNumbers = None
) -> Imported:
    """Brings the objects of a COCO document into the cases of the same names, to be corrected.

    Answers what was passed over and why: images that are not in the worklist, boxes alone, crowds (`iscrowd` 1).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "the body must be of the type application/json")
    with context.image_adder.upload_path("document.json") as path:
        await received_file(request, path)
        return await imported_for(request, _import_coco_file, context, path, annotator, numbering)


def _import_coco_file(
    bounds: ImportBounds, context: ServerContext, path: Path, annotator: str, numbering: Numbering | None
) -> Imported:
    try:
        # While Python reads a large document, other threads get their turn.
        document = CocoDocument.model_validate(read_dataset_json(path)).model_dump()
    except ValidationError as error:
        raise HTTPException(422, first_error(error)) from None
    except DocumentError as error:
        raise HTTPException(422, f"the body is not COCO as JSON in UTF-8 ({error})") from None
    return _imported(import_coco(context.store, document, annotator, numbering, bounds=bounds))


@router.post("/import", openapi_extra={"requestBody": FILE_BODY}, responses=errors(413, 415, 422, 503, 507))
async def import_file(
    request: Request,
    context: ContextDep,
    annotator: Annotator,
    name: Annotated[str, Query(min_length=1, max_length=1000, description="The file's name, without a folder.")],
    format: Annotated[
        str | None, Query(max_length=40, description="A name of /api/formats; recognised if left out.")
    ] = None,
    numbering: ImportNumbers = None,
) -> Imported:
    """Brings the objects of an annotation file, or of a zip or tar archive, into the cases, to be corrected.

    Every dataset format is read. The images are those of the worklist; others are passed over. Where the file does
    not tell how its teeth are numbered, the answer is 422 and asks for `numbering`.
    """
    check_type(request, "annotation")
    if format is not None and format not in readable():
        raise HTTPException(422, f"{one_line(format)} is not a format that is read; see /api/formats")
    chosen = None if format is None else Format(format)
    with context.image_adder.upload_path(safe_file_name(name)) as path:
        await received_file(request, path)
        found = await imported_for(request, _import_any_file, context, path, annotator, chosen, numbering)
    return _imported(found)


def _import_any_file(
    bounds: ImportBounds,
    context: ServerContext,
    path: Path,
    annotator: str,
    format: Format | None,
    numbering: Numbering | None,
) -> ImportReport:
    images = context.workspace.images
    return import_annotation_file(context.store, images, path, annotator, format, numbering, bounds)


def _imported(found: ImportReport) -> Imported:
    left = found.skipped
    entries = [
        PassedOverEntry(image=one_line(entry.image), annotation=entry.annotation, reason=entry.reason)
        for entry in left.entries
    ]
    passed_over = PassedOver(images=left.images, objects=left.objects, entries=entries)
    notes = [one_line(note) for note in found.notes[:MAX_NOTES]]
    if len(found.notes) > MAX_NOTES:
        notes.append(f"and {len(found.notes) - MAX_NOTES} more lines of this kind")
    return Imported(objects=found.objects, cases=found.cases, passed_over=passed_over, notes=notes)


def _statuses(finished: bool) -> frozenset[Status] | None:
    return FINISHED if finished else None


def _named(file: str, damages: Sequence[Damage]) -> dict[str, str]:
    headers = {"Content-Disposition": f'attachment; filename="{file}"'}
    if damages:
        lines = "; ".join(damage.line for damage in damages)
        headers["X-Damaged"] = quote(one_line(f"{len(damages)} left out: {lines}"))
    return headers


def _spooled(write: Callable[[IO[bytes]], None]) -> IO[bytes]:
    """A file that is written before its answer begins, since the headers say what is damaged; `_blocks` closes it."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(MAX_MEMORY_BYTES)  # noqa: SIM115
    try:
        write(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK):
            yield block
