"""Makes the embedding and the uncertainty of one case, or takes them from the disk, and reads its pixels."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dentasam.data.images.read import read_image
from dentasam.errors import ImageError
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encoding.uncertainty import uncertainty
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.workspace.file_hashes import check_same_size
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network
from dentasam.model.windows.windowed_image import WindowedImage

# A file that changes each time it is read is still being written.
MAX_READS = 3

log = logging.getLogger(__name__)


class EncodedCase(NamedTuple):
    """What a case's file holds (its hash), the embedding of exactly that, and its pixels (H, W) where it was read."""

    picture: str
    embedding: ImageEmbedding
    pixels: np.ndarray | None = None


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

    def pixels(self, image: CaseImage, picture: str, current_picture: Callable[[], str]) -> np.ndarray | None:
        """The pixels (H, W) of a picture from the case's file; None where the file holds another one by now.

        Raises ImageError.
        """
        if current_picture() != picture:
            return None
        pixels = self._read(image.path)
        return pixels if current_picture() == picture else None

    def embedding(self, served: ServedModel, image: CaseImage, current_picture: Callable[[], str]) -> EncodedCase:
        """What the case's file holds, and the embedding of exactly that, which is on the disk then.

        current_picture: hashes the file as it is now. Raises ImageError.
        """
        for _ in range(MAX_READS):
            picture = current_picture()
            embedding = self.stored(served, picture)
            if embedding is not None:
                check_same_size(image, embedding.frame.height, embedding.frame.width)
                return EncodedCase(picture, embedding)
            # The embedding of one picture must not be kept under the hash of the next.
            pixels = self.pixels(image, picture, current_picture)
            if pixels is not None:
                check_same_size(image, *pixels.shape)
                embedding = self._keep(served, image, picture, self._encode(served, pixels))
                return EncodedCase(picture, embedding, pixels)
        raise ImageError(f"{image.name} is being written to; open it again when that is done")

    def image(
        self,
        served: ServedModel,
        image: CaseImage,
        picture: str,
        embedding: ImageEmbedding,
        current_picture: Callable[[], str],
        pixels: np.ndarray | None = None,
    ) -> tuple[WindowedImage, int] | None:
        """The image for decoding, of a picture and its embedding, and the bytes of its pixels.

        pixels: of the picture, read from the case's file if None; without object windows they are not needed. None
        where the file holds another picture by now. Raises ImageError.
        """
        if not served.windows:
            return served.image(None, embedding), 0
        if pixels is None:
            pixels = self.pixels(image, picture, current_picture)
        return None if pixels is None else (served.image(pixels, embedding), pixels.nbytes)

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
