"""Embeddings of the worklist's images on disk, so that a case opens without an encode.

A file's name is a hash of everything its content depends on: the image's bytes (hashed by `FileHashes`), the
preprocessing, the base's weights and the adapter's. The name ends in the checksum of the file, so that a damaged file
is recognised and counts as absent. A new file is moved into place whole, so that a killed writer leaves none behind.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from pathlib import Path

from dentasam.errors import CheckpointError, WorkspaceError
from dentasam.files.atomic_write import remove_stale_drafts, write_atomically
from dentasam.files.regular_file import open_regular
from dentasam.model.embedding import ImageEmbedding

# 2.7 MB for a panoramic: some 1,500 of them.
DISK_LIMIT = 4 * 2**30
_PIECE = 1 << 20


class EmbeddingStore:
    """A folder of embeddings in half precision, the least recently used removed beyond `limit` bytes.

    Threads may share it. Of two processes on one folder, one may remove what the other has; it is encoded again.
    """

    def __init__(self, folder: Path, limit: int = DISK_LIMIT) -> None:
        """Raises WorkspaceError where the folder is a link or cannot be made."""
        self.folder = Path(folder)
        self.limit = limit
        self._lock = threading.Lock()
        if self.folder.is_symlink():
            raise WorkspaceError(f"{folder} is a link, and its target is not tidied; delete it")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What killed writers left. A link to another folder is not entered.
            for own in (self.folder, *self.folder.glob("??")):
                if not own.is_symlink():
                    remove_stale_drafts(own)
        except OSError as error:
            raise WorkspaceError(f"{folder}: cannot be used ({error.strerror}); free it or choose another") from None

    def holds(self, picture: str, model: str) -> bool:
        """Whether there is a file for the picture, damaged or not."""
        return self._find(file_stem(picture, model)) is not None

    def get(self, picture: str, model: str) -> ImageEmbedding | None:
        """The embedding of a picture in float32, or None. picture: from `FileHashes.of`; model: from `model_key`."""
        path = self._find(file_stem(picture, model))
        if path is None:
            return None
        try:
            with open_regular(path) as file:
                checksum = 0
                # In pieces: whatever lies there in the place of an embedding may be of any size.
                while piece := file.read(_PIECE):
                    checksum = zlib.crc32(piece, checksum)
            if f"{checksum:08x}" == path.name.split(".")[1]:
                os.utime(path)
                return _single(ImageEmbedding.load(path))
        except (OSError, CheckpointError):
            pass
        path.unlink(missing_ok=True)
        return None

    def put(self, picture: str, model: str, embedding: ImageEmbedding) -> ImageEmbedding:
        """Keep an embedding; returns it as `get` will, so that the first use equals later ones.

        Raises OSError where it cannot be written; the disk then holds what it held.
        """
        half = embedding.to("cpu").half()
        stem = file_stem(picture, model)
        folder = self.folder / stem[:2]
        folder.mkdir(parents=True, exist_ok=True)
        content = half.to_bytes()
        path = folder / f"{stem}.{zlib.crc32(content):08x}.safetensors"
        # An embedding shows roughly what its image looks like, so only the owner may read it.
        with write_atomically(path, private=True) as draft:
            draft.write_bytes(content)
        for other in folder.glob(f"{stem}.*.safetensors"):
            if other != path:
                other.unlink(missing_ok=True)
        self._make_room(path)
        return _single(half)

    def uncertainty(self, picture: str, model: str) -> float | None:
        """What `note_uncertainty` kept, or None."""
        try:
            with open_regular(self._note(picture, model)) as file:
                value = float(file.read(100))
        except (OSError, ValueError):
            return None
        return value if 0 <= value <= 1 else None

    def note_uncertainty(self, picture: str, model: str, value: float) -> None:
        """Keep the case's uncertainty beside its embedding. Raises OSError where it cannot be written."""
        path = self._note(picture, model)
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path, private=True) as draft:
            draft.write_text(repr(value))

    def bytes_held(self) -> int:
        """Bytes of all embeddings together."""
        return sum(size for _, size, _ in self._files())

    def _find(self, stem: str) -> Path | None:
        return next((self.folder / stem[:2]).glob(f"{stem}.*.safetensors"), None)

    def _note(self, picture: str, model: str) -> Path:
        stem = file_stem(picture, model)
        return self.folder / stem[:2] / f"{stem}.uncertainty"

    def _files(self) -> list[tuple[float, int, Path]]:
        """Last use, bytes and path of every embedding."""
        found = []
        for path in self.folder.glob("??/*.safetensors"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            found.append((state.st_mtime, state.st_size, path))
        return found

    def _make_room(self, newest: Path) -> None:
        with self._lock:
            files = sorted(self._files())
            held = sum(size for _, size, _ in files)
            for _, size, path in files:
                if held <= self.limit:
                    return
                if path != newest:
                    path.unlink(missing_ok=True)
                    # What lies beside it: the case's uncertainty and its charts.
                    for beside in path.parent.glob(f"{path.name.split('.')[0]}.*"):
                        beside.unlink(missing_ok=True)
                    held -= size


def file_stem(picture: str, model: str) -> str:
    """How the names of all files begin that are kept for a picture and a model."""
    return hashlib.sha256(f"{model}|{picture}".encode()).hexdigest()


def _single(embedding: ImageEmbedding) -> ImageEmbedding:
    import torch

    return embedding.to(dtype=torch.float32)
