"""The JSON files of a run folder, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import parse_json
from dentasam.documents.text import read_text
from dentasam.evaluation.run_files.errors import EVALUATE_AGAIN, RunError
from dentasam.files.regular_file import open_regular

_BLOCK = 1 << 12


def read_run_json(path: Path, limit: int) -> Any:
    """The content of a JSON file of at most `limit` bytes. Raises RunError."""
    try:
        # Gigabytes of what is no JSON from its first letter on are not read.
        with open_regular(path) as file:
            start = file.read(_BLOCK).lstrip(b"\xef\xbb\xbf \t\r\n")
        if start.startswith(b"\0"):
            raise DocumentError("zeros, as a disk leaves them that failed or lost its power")
        return parse_json(read_text(path, limit))
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; give a folder that `dentasam evaluate` finished") from error
    except OSError as error:
        reason = f"{error.strerror[:1].lower()}{error.strerror[1:]}" if error.strerror else str(error)
        raise RunError(
            f"{path}: cannot be read ({reason}); give a folder that `dentasam evaluate` finished"
        ) from error
    except DocumentError as error:
        raise RunError(f"{path}: is not JSON ({error}); {EVALUATE_AGAIN}") from error
