"""Makes the embedding and the uncertainty of one case, or takes them from the disk."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dentasam.data.images.read import read_image
from dentasam.errors import ImageError
from dentasam.labelling.inference.embedding_store import EmbeddingStore
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.inference.uncertainty import uncertainty
from dentasam.labelling.workspace.file_hashes import check_same_size
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network

# A file that changes each time it is read is still being written.
MAX_READS = 3

log = logging.getLogger(__name__)


class CaseEncoder:
    """Threads may share it.

    read, encode, measure: how a file becomes pixels, pixels an embedding, and an embedding the case's uncertainty.
    """

    def __init__(
        self,
        store: EmbeddingStore,
        *,
        read: Callable[[Path], np.ndarray] = read_image,
        encode: Callable[[ServedModel, np.ndarray], ImageEmbedding] = ServedModel.encode,
        measure: Callable[[Network, ImageEmbedding], float] = uncertainty,
    ) -> None:
        self._store = store
        self._read, self._encode, self._measure = read, encode, measure

    def stored(self, served: ServedModel, picture: str) -> ImageEmbedding | None:
        """The embedding of a picture (hash of an image file) from the disk, or None."""
        stored = self._store.get(picture, served.key)
        return None if stored is None else served.segmenter.for_clicks(stored)

    def embedding(
        self, served: ServedModel, image: CaseImage, current_picture: Callable[[], str]
    ) -> tuple[str, ImageEmbedding]:
        """What the case's file holds, and the embedding of exactly that, which is on the disk then.

        current_picture: hashes the file as it is now. Raises ImageError.
        """
        for _ in range(MAX_READS):
            picture = current_picture()
            embedding = self.stored(served, picture)
            if embedding is not None:
                check_same_size(image, embedding.frame.height, embedding.frame.width)
                return picture, embedding
            pixels = self._read(image.path)
            # The embedding of one picture must not be kept under the hash of the next.
            if current_picture() == picture:
                check_same_size(image, *pixels.shape)
                return picture, self._keep(served, image, picture, self._encode(served, pixels))
        raise ImageError(f"{image.name} is being written to; open it again when that is done")

    def uncertainty(self, served: ServedModel, picture: str, embedding: ImageEmbedding) -> float:
        """How unsure the model is of a case, 0 sure … 1 unsure; kept on the disk beside the embedding."""
        value = self._store.uncertainty(picture, served.key)
        if value is None:
            value = self._measure(served.model, embedding)
            with contextlib.suppress(OSError):
                self._store.note_uncertainty(picture, served.key, value)
        return value

    def _keep(self, served: ServedModel, image: CaseImage, picture: str, embedding: ImageEmbedding) -> ImageEmbedding:
        try:
            embedding = self._store.put(picture, served.key, embedding)
        except OSError as error:
            # Work goes on from memory; the next start encodes again.
            log.warning("%s: its embedding cannot be kept (%s); free space on the disk", image.name, error.strerror)
        return served.segmenter.for_clicks(embedding)
