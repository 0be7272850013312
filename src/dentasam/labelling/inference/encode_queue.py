"""The threads that encode the worklist, and the embeddings they leave: on disk, and in memory for open cases.

One thread takes the case somebody waits for, then the opened one; the other the cases that follow it, then the
rest, on one core less and with a low claim on the processor. Neither shares a lock with those who ask the model.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from dentasam.data.images.read import read_image
from dentasam.errors import CheckpointError, DentasamError, ImageError
from dentasam.labelling.inference.embedding_store import EmbeddingStore
from dentasam.labelling.inference.served_model import ModelIdentity, ServedModel
from dentasam.labelling.inference.uncertainty import uncertainty
from dentasam.labelling.workspace.file_hashes import FileHashes, check_same_size
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import with_adapter
from dentasam.model.segmenter import Segmenter

# Embeddings in float32: 5.4 MB each for a panoramic and the smallest model.
HELD_EMBEDDINGS = 8
BACKGROUND_NICE = 10
# A file that changes each time it is read is still being written.
READINGS = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """current: name of the image that is being encoded. failed: one line for each case that cannot be."""

    encoded: int
    total: int
    current: str | None = None
    failed: Mapping[int, str] = field(default_factory=dict)


class Ready(NamedTuple):
    """What a click needs. picture: the hash of the file that the embedding is of. seconds: waited for it."""

    served: ServedModel
    embedding: ImageEmbedding
    seconds: float
    picture: str


class Encoder:
    """The model in use and the embeddings of the worklist by it. Every method may be called from any thread.

    Embeddings go by what the image's file holds and not by the case: it may be replaced while the server runs.
    """

    def __init__(
        self,
        segmenter_loader: Callable[[], Segmenter],
        store: EmbeddingStore,
        images: Mapping[int, CaseImage],
        on_encoded: Callable[[int, float], None],
    ) -> None:
        self._load = segmenter_loader
        self._store = store
        self._images = dict(images)
        self._on_encoded = on_encoded
        self._files = FileHashes()
        self.threads = torch.get_num_threads()
        # Guards all below it; told at every change that somebody may wait for.
        self._changed = threading.Condition()
        self._served: ServedModel | None = None
        self._fault: DentasamError | None = None
        self._stopping = False
        # What each case's file held when it was last looked at.
        self._pictures: dict[int, str] = {}
        self._requested: list[int] = []
        self._opened: list[int] = []
        self._encoded: set[int] = set()
        self._told: set[int] = set()
        self._failed: dict[int, str] = {}
        self._encoding: list[int] = []
        self._embeddings: OrderedDict[tuple[str, str], ImageEmbedding] = OrderedDict()
        self._encoders = [
            threading.Thread(target=self._encode_now, name="encoder", daemon=True),
            threading.Thread(target=self._encode_ahead, name="encoder ahead", daemon=True),
        ]

    def start(self) -> None:
        """Begin to load the model and to encode; returns at once."""
        for encoder in self._encoders:
            encoder.start()

    def stop(self, timeout: float = 30.0) -> None:
        """End the encoders after what is in progress; who waits for an embedding gets a DentasamError."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout
        for encoder in self._encoders:
            if encoder.is_alive():
                encoder.join(max(0.0, end - time.monotonic()))

    @property
    def model(self) -> ModelIdentity:
        """The model in use; an identity without a name until it is loaded."""
        served = self._served
        return ModelIdentity() if served is None else served.identity

    def wait_for_model(self, timeout: float | None = None) -> ModelIdentity:
        """Wait until the model is loaded. Raises DentasamError where it cannot be, TimeoutError in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._served or self._fault or self._stopping, timeout):
                raise TimeoutError("the model is still being loaded")
            return self._model_at_hand().identity

    def use_adapter(self, name_or_dir: str | Path | None) -> ModelIdentity:
        """Serve another adapter on the same base, or the base alone. Raises AdapterError, and then changes nothing.

        All cases are encoded again, opened ones first: every scope reaches the encoder or the HQ features.
        """
        self.wait_for_model()
        assert self._served is not None
        served = ServedModel(with_adapter(self._served.segmenter, name_or_dir))
        with self._changed:
            self._served = served
            self._encoded.clear()
            self._told.clear()
            self._failed.clear()
            self._embeddings.clear()
            self._changed.notify_all()
        return served.identity

    def add(self, case_id: int, image: CaseImage) -> None:
        """One more image to encode."""
        with self._changed:
            self._images = self._images | {case_id: image}
            self._changed.notify_all()

    def picture(self, case_id: int) -> str:
        """The hash of what the case's file holds now; of a new picture everything is made anew.

        Raises ImageError where the file cannot be read.
        """
        image = self._images[case_id]
        try:
            found = self._files.of(image.path)
        except OSError as fault:
            raise ImageError(f"{image.name} cannot be read any more ({fault.strerror}); put the file back") from None
        with self._changed:
            if self._pictures.get(case_id, found) != found:
                self._encoded.discard(case_id)
                self._told.discard(case_id)
                self._failed.pop(case_id, None)
                self._changed.notify_all()
            self._pictures[case_id] = found
        return found

    def open(self, case_id: int, following: Sequence[int] = ()) -> None:
        """Encode this case first, then those that follow. Raises KeyError for an unknown case."""
        self._images[case_id]
        with self._changed:
            self._opened = [case_id, *(case for case in following if case in self._images and case != case_id)]
            self._changed.notify_all()

    def encoded(self, case_id: int) -> bool:
        """Whether a click on the case is answered without an encode."""
        return case_id in self._encoded

    def progress(self) -> Progress:
        """How far the worklist is."""
        with self._changed:
            current = self._images[self._encoding[0]].name if self._encoding else None
            return Progress(len(self._encoded), len(self._images), current, dict(self._failed))

    def embedding(self, case_id: int) -> Ready:
        """The model and the embedding by it of what the case's file holds now.

        A case not yet encoded goes to the head of the queue. Raises as `Inference.predict`.
        """
        image = self._images[case_id]
        started = time.perf_counter()
        with self._changed:
            self._changed.wait_for(lambda: self._served or self._fault or self._stopping)
            served = self._model_at_hand()
        picture = self.picture(case_id)
        with self._changed:
            held = self._held(served.key, picture)
        if held is not None:
            return self._ready(image, Ready(served, held, 0.0, picture))
        stored = self._stored(served, picture)
        if stored is not None:
            with self._changed:
                self._hold(served.key, picture, stored)
            return self._ready(image, Ready(served, stored, time.perf_counter() - started, picture))
        with self._changed:
            self._failed.pop(case_id, None)
            while True:
                served = self._model_at_hand()
                # The file may change once more while it is encoded.
                picture = self._pictures[case_id]
                held = self._held(served.key, picture)
                if held is not None:
                    return self._ready(image, Ready(served, held, time.perf_counter() - started, picture))
                if case_id in self._failed:
                    raise ImageError(self._failed[case_id])
                if case_id not in self._requested:
                    self._requested.append(case_id)
                    self._changed.notify_all()
                self._changed.wait()

    def _ready(self, image: CaseImage, ready: Ready) -> Ready:
        check_same_size(image, ready.embedding.frame.height, ready.embedding.frame.width)
        return ready

    def _model_at_hand(self) -> ServedModel:
        if self._stopping:
            raise DentasamError("the labelling server is stopping; start it again")
        if self._served is None:
            assert self._fault is not None
            raise type(self._fault)(str(self._fault))
        return self._served

    def _held(self, key: str, picture: str) -> ImageEmbedding | None:
        embedding = self._embeddings.get((key, picture))
        if embedding is not None:
            self._embeddings.move_to_end((key, picture))
        return embedding

    def _hold(self, key: str, picture: str, embedding: ImageEmbedding) -> None:
        self._embeddings[key, picture] = embedding
        self._embeddings.move_to_end((key, picture))
        while len(self._embeddings) > HELD_EMBEDDINGS:
            self._embeddings.popitem(last=False)

    def _stored(self, served: ServedModel, picture: str) -> ImageEmbedding | None:
        stored = self._store.get(picture, served.key)
        return None if stored is None else served.segmenter.for_clicks(stored)

    def _encode_now(self) -> None:
        served = self._loaded()
        if served is None:
            return
        with self._changed:
            self._served = served
            self._changed.notify_all()
        while (task := self._task(self._wanted_now)) is not None:
            self._prepare(*task, threads=self.threads)

    def _encode_ahead(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._served or self._fault or self._stopping)
            if self._served is None:
                return
        _step_back()
        while (task := self._task(self._wanted_later)) is not None:
            self._prepare(*task, threads=max(1, self.threads - 1))

    def _loaded(self) -> ServedModel | None:
        try:
            return ServedModel(self._load())
        except DentasamError as known:
            fault = known
        except Exception as unknown:
            log.exception("the model could not be loaded")
            fault = CheckpointError(f"the model could not be loaded ({_line(unknown)})")
        with self._changed:
            self._fault = fault
            self._changed.notify_all()
        return None

    def _task(self, wanted: Callable[[str], int | None]) -> tuple[ServedModel, int] | None:
        """The model and the case to do next, waiting for one; None at the end."""
        with self._changed:
            while not self._stopping:
                assert self._served is not None
                case_id = wanted(self._served.key)
                if case_id is not None:
                    self._encoding.append(case_id)
                    return self._served, case_id
                self._changed.wait()
            return None

    def _wanted_now(self, key: str) -> int | None:
        self._requested = [
            case for case in self._requested if case not in self._failed and not self._in_memory(key, case)
        ]
        for case_id in self._requested:
            if case_id not in self._encoding:
                return case_id
        opened = self._opened[:1]
        return opened[0] if opened and self._to_do(key, opened[0], in_memory=True) else None

    def _wanted_later(self, key: str) -> int | None:
        # Beyond what memory holds, the opened cases would push out each other for ever.
        for case_id in self._opened[1 : HELD_EMBEDDINGS // 2]:
            if self._to_do(key, case_id, in_memory=True):
                return case_id
        first = set(self._opened[:1])
        return next((case for case in self._images if case not in first and self._to_do(key, case, False)), None)

    def _to_do(self, key: str, case_id: int, in_memory: bool) -> bool:
        if case_id in self._failed or case_id in self._encoding:
            return False
        return case_id not in self._told or (in_memory and not self._in_memory(key, case_id))

    def _in_memory(self, key: str, case_id: int) -> bool:
        return (key, self._pictures.get(case_id)) in self._embeddings

    def _prepare(self, served: ServedModel, case_id: int, threads: int) -> None:
        """Have a case's embedding on disk, in memory where it is wanted soon, and its uncertainty told."""
        image = self._images[case_id]
        try:
            use_threads(threads)
            picture, embedding = self._of_picture(served, case_id)
            with self._changed:
                current = served is self._served and picture == self._pictures[case_id]
                if current:
                    wanted = case_id in self._requested or case_id in self._opened
                    if wanted or len(self._embeddings) < HELD_EMBEDDINGS:
                        self._hold(served.key, picture, embedding)
                    self._encoded.add(case_id)
                    self._changed.notify_all()
            if current and case_id not in self._told:
                self._tell_uncertainty(served, case_id, picture, embedding)
        except Exception as fault:
            # One broken image, or one too large for the memory, must not stop the others.
            if not isinstance(fault, DentasamError | OSError):
                log.exception("%s could not be encoded", image.name)
            message = str(fault) if isinstance(fault, DentasamError) else _line(fault)
            with self._changed:
                if served is self._served:
                    known = image.name in message or image.path.name in message
                    self._failed[case_id] = message if known else f"{image.name}: {message}"
        finally:
            with self._changed:
                self._encoding.remove(case_id)
                self._changed.notify_all()

    def _of_picture(self, served: ServedModel, case_id: int) -> tuple[str, ImageEmbedding]:
        """What the case's file holds, and the embedding of just that. Raises ImageError."""
        image = self._images[case_id]
        for _ in range(READINGS):
            picture = self.picture(case_id)
            embedding = self._stored(served, picture)
            if embedding is not None:
                check_same_size(image, embedding.frame.height, embedding.frame.width)
                return picture, embedding
            pixels = read_image(image.path)
            # The embedding of one picture must not be kept under the hash of the next.
            if self.picture(case_id) == picture:
                check_same_size(image, *pixels.shape)
                return picture, self._keep(served, image, picture, served.encode(pixels))
        raise ImageError(f"{image.name} is being written to; open it again when that is done")

    def _keep(self, served: ServedModel, image: CaseImage, picture: str, embedding: ImageEmbedding) -> ImageEmbedding:
        try:
            embedding = self._store.put(picture, served.key, embedding)
        except OSError as fault:
            # Work goes on from memory; the next start encodes again.
            log.warning("%s: its embedding cannot be kept (%s); free space on the disk", image.name, fault.strerror)
        return served.segmenter.for_clicks(embedding)

    def _tell_uncertainty(self, served: ServedModel, case_id: int, picture: str, embedding: ImageEmbedding) -> None:
        value = self._store.uncertainty(picture, served.key)
        if value is None:
            value = uncertainty(served.model, embedding)
            with contextlib.suppress(OSError):
                self._store.note_uncertainty(picture, served.key, value)
        with self._changed:
            if served is not self._served or picture != self._pictures[case_id]:
                return
            self._told.add(case_id)
        try:
            self._on_encoded(case_id, value)
        except Exception:
            log.exception("%s: its uncertainty could not be stored", self._images[case_id].name)


def _line(fault: BaseException) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__


def use_threads(count: int) -> None:
    """Threads of torch for what this thread computes: each thread has its own number, inherited from the last set."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _step_back() -> None:
    """Lower the priority of this thread and of those that torch starts from it. Only Linux has it per thread."""
    if sys.platform.startswith("linux"):
        try:
            here = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + BACKGROUND_NICE)
        except OSError:
            pass
