"""Charts of the worklist's images on disk, beside their embeddings: made once for each picture and model.

A file starts with the checksum of the rest, so that a damaged one is recognised and counts as absent.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

from dentasam.files.atomic_write import write_atomically
from dentasam.files.regular_file import open_regular
from dentasam.labelling.inference.encoding.charted_image import ChartedImage
from dentasam.labelling.inference.encoding.embedding_store import file_stem
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.wire.envelope import EnvelopeError, pack, unpack

# Of masks as run lengths, far more than an image has; a larger file counts as damaged.
MAX_BYTES = 64 * 1024 * 1024


class ChartStore:
    """Charts in the folder of an `EmbeddingStore`, which removes them with the embeddings. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, picture: str, served: ServedModel) -> ChartedImage | None:
        """The chart of a picture (hash of an image file) by a model, or None."""
        path = self._path(picture, served)
        try:
            with open_regular(path) as file:
                content = file.read(MAX_BYTES + 1)
            (checksum,) = struct.unpack("<I", content[:4])
            if len(content) <= MAX_BYTES and zlib.crc32(content[4:]) == checksum:
                return ChartedImage.from_document(unpack(content[4:]))
        except FileNotFoundError:
            return None
        except (OSError, struct.error, EnvelopeError, KeyError, TypeError):
            pass
        path.unlink(missing_ok=True)
        return None

    def put(self, picture: str, served: ServedModel, chart: ChartedImage) -> None:
        """Keep a chart. Raises OSError where it cannot be written; the disk then holds what it held."""
        content = pack(chart.document())
        path = self._path(picture, served)
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path, private=True) as draft:
            draft.write_bytes(struct.pack("<I", zlib.crc32(content)) + content)

    def _path(self, picture: str, served: ServedModel) -> Path:
        stem = file_stem(picture, served.key)
        chart = hashlib.sha256((served.chart_key or "").encode()).hexdigest()[:16]
        return self.folder / stem[:2] / f"{stem}.{chart}.chart"
