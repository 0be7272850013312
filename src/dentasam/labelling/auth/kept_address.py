"""What a restart of a server keeps: the token and the port, so that pages that are open go on.

`entrance.json` in the workspace, readable by its owner alone. Whoever reads it may read and write the labels, as
whoever reads the workspace itself may. A file that others could have read is not trusted: a new token is made.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from dentasam.atomic_write import write_atomically
from dentasam.errors import WorkspaceError
from dentasam.labelling.auth.access import new_token
from dentasam.labelling.workspace.private_file import read_private

FILE_NAME = "entrance.json"
TOKEN = re.compile(r"[\w-]{43,200}", re.ASCII)


@dataclass(frozen=True)
class Entrance:
    """token: what the printed address holds. port: the one that was bound last, None before the first start."""

    token: str
    port: int | None = None

    @classmethod
    def of(cls, root: Path, *, new: bool = False) -> Entrance:
        """That of a workspace's folder, with another token where `new`; without a good file, a new one."""
        try:
            content = json.loads(read_private(root / FILE_NAME) or "")
            token, port = content["token"], content["port"]
            sound = isinstance(token, str) and TOKEN.fullmatch(token) and type(port) is int and 0 < port < 65536
        except (ValueError, TypeError, KeyError):
            sound = None
        if not sound:
            return cls(new_token())
        return cls(new_token() if new else token, port)

    def keep(self, root: Path, port: int) -> None:
        """Writes the token with the port that is bound now. Raises WorkspaceError."""
        path = root / FILE_NAME
        try:
            with write_atomically(path, durable=True, private=True) as draft:
                draft.write_text(json.dumps({"token": self.token, "port": port}) + "\n", encoding="utf-8")
        except OSError as fault:
            raise WorkspaceError(
                f"{path} cannot be written ({fault.strerror}); make room or check its folder"
            ) from None
