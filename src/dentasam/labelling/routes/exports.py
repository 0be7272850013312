"""Labels as files, and labels from a COCO file."""

import tempfile
from collections.abc import Iterator
from typing import IO, Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from dentasam.labelling.exchange.correction_log import log_lines
from dentasam.labelling.exchange.exports import FINISHED, coco_document, write_png_zip
from dentasam.labelling.exchange.imports import import_coco
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.operations import Status
from dentasam.labelling.routes.context import Annotator, ContextDep, binary_answer, errors, one_line
from dentasam.labelling.routes.documents import CocoDocument, Imported, PassedOver, PassedOverEntry

router = APIRouter(prefix="/api", tags=["files"])
# Beyond this a ZIP is built on the disk.
MAX_MEMORY_BYTES = 32 * 1024 * 1024
BLOCK = 1 << 20
Finished = Annotated[bool, Query(description="Only cases that are done or approved.")]


@router.get("/export/coco", response_model=CocoDocument)
def export_coco(context: ContextDep, finished: Finished = False) -> Response:
    """All objects as COCO with RLE masks; image paths are relative to the image folder."""
    # A response class skips the check of thousands of annotations that were made just now.
    return JSONResponse(
        coco_document(context.store, context.workspace, _statuses(finished)), headers=_named("labels.json")
    )


@router.get(
    "/export/png",
    response_class=Response,
    responses={200: binary_answer("application/zip", "A PNG of 0 and 255 per object, in a folder per image.")},
)
def export_png(context: ContextDep, finished: Finished = False) -> Response:
    """All masks as PNG files in a ZIP."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(MAX_MEMORY_BYTES)  # noqa: SIM115 - closed by _blocks
    try:
        write_png_zip(context.store, context.workspace, file, _statuses(finished))
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return StreamingResponse(_blocks(file), media_type="application/zip", headers=_named("masks.zip"))


@router.get(
    "/export/log",
    response_class=Response,
    responses={200: binary_answer("application/x-ndjson", "A JSON object per labelled object.")},
)
def export_log(context: ContextDep, finished: Finished = False) -> Response:
    """The correction log: what the model proposed and what became of it."""
    lines = log_lines(context.store, context.workspace, _statuses(finished))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=_named("corrections.ndjson"))


@router.get(
    "/export/timing",
    response_class=Response,
    responses={200: {"description": "A table.", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def export_timing(context: ContextDep) -> Response:
    """Active time per case, tool and object."""
    return Response(timing_csv(context.store), media_type="text/csv", headers=_named("timing.csv"))


@router.post("/import/coco", responses=errors(413, 507))
def import_annotations(document: CocoDocument, context: ContextDep, annotator: Annotator) -> Imported:
    """Brings the objects of a COCO document into the cases of the same names, to be corrected.

    Answers what was passed over and why: images that are not in the worklist, boxes alone, crowds (`iscrowd` 1).
    """
    found = import_coco(context.store, document.model_dump(), annotator)
    left = found.skipped
    entries = [
        PassedOverEntry(image=one_line(entry.image), annotation=entry.annotation, reason=entry.reason)
        for entry in left.entries
    ]
    passed_over = PassedOver(images=left.images, objects=left.objects, entries=entries)
    return Imported(objects=found.objects, cases=found.cases, passed_over=passed_over)


def _statuses(finished: bool) -> frozenset[Status] | None:
    return FINISHED if finished else None


def _named(file: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file}"'}


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK):
            yield block
