"""Files that come as the body of a request: written to a path block by block, so that none is held in memory."""

import os
from pathlib import Path
from typing import BinaryIO, Final

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from dentasam.labelling.log.database.failures import is_disk_full
from dentasam.visible_text import without_unseen

TYPES = ("application/octet-stream", "application/dicom", "image/")
FILE_BODY: Final = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "required": True,
}
MAX_NAME_BYTES = 200


async def received_file(request: Request, path: Path) -> None:
    """Writes the body of a request to a new file. Raises HTTPException 507 where the disk is full."""
    try:
        with await run_in_threadpool(_created, path) as file:
            async for block in request.stream():
                await run_in_threadpool(file.write, block)
            await run_in_threadpool(_synced, file)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise HTTPException(507, "the disk of the workspace is full; nothing was added, make room") from None


def check_type(request: Request, what: str) -> None:
    """Raises HTTPException 415 where the body is not a file itself; what: "image" or "annotation"."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith(TYPES):
        raise HTTPException(415, f"the body is the {what} file itself, of the type application/octet-stream")


def safe_file_name(name: str) -> str:
    """The last part of a name, without characters that no file system allows, and not too long; keeps the suffix."""
    plain = without_unseen(name.replace("\\", "/").rpartition("/")[2])
    plain = plain.encode("utf-8", "ignore").decode()
    while len(plain.encode()) > MAX_NAME_BYTES:
        plain = plain[1:]
    return plain if plain.strip(". ") else "annotations"


def _created(path: Path) -> BinaryIO:
    return path.open("xb")


def _synced(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
