"""The embeddings that clicks need next, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set

from dentasam.model.embedding import ImageEmbedding

# In float32, 5.4 MB each for a panoramic and the smallest model.
MAX_EMBEDDINGS = 8


class EmbeddingMemory:
    """Embeddings by picture (the hash of an image file); beyond `size` the least recently used goes.

    It has no lock: the encode queue holds its own around every call.
    """

    def __init__(self, size: int = MAX_EMBEDDINGS) -> None:
        self.size = size
        self._embeddings: OrderedDict[str, ImageEmbedding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._embeddings)

    def __contains__(self, picture: str | None) -> bool:
        return picture in self._embeddings

    @property
    def pictures(self) -> Set[str]:
        """The pictures whose embeddings are here."""
        return set(self._embeddings)

    def get(self, picture: str) -> ImageEmbedding | None:
        """A picture's embedding, which becomes the most recently used, or None."""
        embedding = self._embeddings.get(picture)
        if embedding is not None:
            self._embeddings.move_to_end(picture)
        return embedding

    def put(self, picture: str, embedding: ImageEmbedding) -> None:
        """Keep an embedding as the most recently used."""
        self._embeddings[picture] = embedding
        self._embeddings.move_to_end(picture)
        while len(self._embeddings) > self.size:
            self._embeddings.popitem(last=False)
