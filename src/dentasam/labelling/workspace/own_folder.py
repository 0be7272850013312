"""A workspace's own folder holds real folders and regular files, and no link.

A folder with images may come from somebody else, with a workspace in it. A link there, such as `.dentasam/lock` to
another file, would have the server write into, tidy or serve what the link leads to. So the folder is checked as a
whole when the workspace is opened, before anything in it is read or written.
"""

from __future__ import annotations

import os
from pathlib import Path

from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import NO_FOLLOW
from dentasam.files.folder_entries import entries_under, target_of
from dentasam.files.regular_file import opened_regular

# These are changed in place, and not replaced as a whole.
CHANGED_IN_PLACE = ("labels.sqlite3", "labels.sqlite3-wal", "labels.sqlite3-shm", "labels.sqlite3-journal")


def make_own_folder(root: Path, *, named: bool = False) -> None:
    """Makes a workspace's folder where it is missing, and checks everything in it.

    named: the user named this folder, which may then be reached by a link. Raises WorkspaceError where the folder is
    a file or cannot be made, where it or anything in it is a link or neither a folder nor a regular file, and where a
    file that is changed in place is a folder, or has another name, which would be changed too.
    """
    if not named and root.is_symlink():
        raise WorkspaceError(
            f"{root} is a link to {target_of(root)}; delete it, or name the folder that it leads to with --workspace"
        )
    try:
        # It holds people's findings and hashed passwords: for its owner alone.
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise WorkspaceError(f"{root} is a file; name another folder with --workspace") from None
    except OSError as error:
        raise WorkspaceError(
            f"{root} cannot be written ({error.strerror}); name another folder with --workspace"
        ) from None
    for entry in entries_under(root):
        if entry.is_symlink():
            raise WorkspaceError(
                f"{entry.path} is a link to {target_of(entry.path)}, and a workspace holds none; delete it, "
                "or put what it leads to in its place"
            )
        if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
            raise WorkspaceError(f"{entry.path} is a pipe, a socket or a device; delete it")
    for name in CHANGED_IN_PLACE:
        path = root / name
        if path.is_dir():
            raise WorkspaceError(f"{path} is a folder, and the database has a file there; move the folder away")
        if path.exists() and path.stat().st_nlink > 1:
            raise WorkspaceError(
                f"{path} has another name, and the file there would be changed too; put a copy in its place: "
                f"cp {name} copy && mv copy {name}"
            )


def open_own_file(path: Path) -> int:
    """Opens a file of a workspace to be read and written in place, and makes it where it is missing, for its owner.

    Raises OSError, also for a link, which is not followed, and for what is not a regular file.
    """
    return opened_regular(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600)
