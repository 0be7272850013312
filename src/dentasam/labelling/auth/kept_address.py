"""What the server keeps of its address for the next start: the token and the port, so that open pages go on.

It is `entrance.json` in the workspace, readable by its owner alone. Whoever reads it may read and write the labels,
as anybody who can read the workspace may. A file that others could have read is not trusted: a new token is made.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from dentasam.documents.json_document import parse_json
from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import write_atomically
from dentasam.labelling.auth.access import new_token
from dentasam.labelling.workspace.private_file import read_private

FILE_NAME = "entrance.json"
# It has a token and a number.
MAX_BYTES = 4096
TOKEN = re.compile(r"[\w-]{43,200}", re.ASCII)


@dataclass(frozen=True)
class KeptAddress:
    """token: the one in the printed address. port: the one that was bound last, None before the first start."""

    token: str
    port: int | None = None

    @classmethod
    def of(cls, root: Path, *, new: bool = False) -> KeptAddress:
        """The address that a workspace's folder keeps, or a new one if it keeps none. new: with another token.

        Raises WorkspaceError for a file that is far too large to be this one.
        """
        try:
            content = parse_json(read_private(root / FILE_NAME, MAX_BYTES) or "")
            token, port = content["token"], content["port"]
            sound = isinstance(token, str) and TOKEN.fullmatch(token) and type(port) is int and 0 < port < 65536
        except (ValueError, TypeError, KeyError):
            sound = None
        if not sound:
            return cls(new_token())
        return cls(new_token() if new else token, port)

    def keep(self, root: Path, port: int) -> None:
        """Write the token with the port that is bound now. Raises WorkspaceError."""
        path = root / FILE_NAME
        try:
            with write_atomically(path, durable=True, private=True) as draft:
                draft.write_text(json.dumps({"token": self.token, "port": port}) + "\n", encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(
                f"{path} cannot be written ({error.strerror}); make room or check its folder"
            ) from None
