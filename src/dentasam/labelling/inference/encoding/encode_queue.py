"""The threads that encode the worklist. Their embeddings go to the disk, and into memory for cases in use.

One thread takes the cases that a click waits for and the opened one. Another works ahead: the cases that follow it,
then the rest, with one core less and a lower priority. A third reads the pixels of cases in use, from which object
windows are cut. None shares a lock with the threads that ask the model.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from dentasam.errors import CheckpointError, DentasamError, ImageError
from dentasam.labelling.inference.encoding.case_encoder import MAX_READS, CaseEncoder, EncodedCase
from dentasam.labelling.inference.encoding.charter import Charter
from dentasam.labelling.inference.encoding.embedding_memory import EmbeddingMemory
from dentasam.labelling.inference.encoding.encode_order import EncodedCases, EncodeOrder
from dentasam.labelling.inference.encoding.image_memory import ImageMemory
from dentasam.labelling.inference.served_model import ModelIdentity, ServedModel
from dentasam.labelling.workspace.file_hashes import FileHashes, check_same_size
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.windowed_image import WindowedImage

BACKGROUND_NICE = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """current: name of the image that is being encoded. failed: one line for each case that cannot be encoded."""

    encoded: int
    total: int
    current: str | None = None
    failed: Mapping[int, str] = field(default_factory=dict)


class ReadyEmbedding(NamedTuple):
    """A case's embedding. seconds: time spent waiting for it. picture: hash of the image file it was made from."""

    served: ServedModel
    embedding: ImageEmbedding
    seconds: float
    picture: str


class ReadyImage(NamedTuple):
    """What a click needs. seconds: time spent waiting for it. picture: hash of the image file it was made from."""

    served: ServedModel
    image: WindowedImage
    seconds: float
    picture: str


class EncodeQueue:
    """The model in use and its embeddings of the worklist. Every method may be called from any thread.

    Embeddings belong to the content of an image's file and not to the case: the file may be replaced while the
    server runs.
    """

    def __init__(
        self,
        load_segmenter: Callable[[], Segmenter],
        encoder: CaseEncoder,
        worklist: Mapping[int, CaseImage],
        on_uncertainty: Callable[[int, float], None] = lambda case_id, value: None,
        memory: EmbeddingMemory | None = None,
        images: ImageMemory | None = None,
        windows: bool = True,
        charter: Charter | None = None,
        files: FileHashes | None = None,
    ) -> None:
        """worklist: may grow while the queue runs, followed by `worklist_changed`.

        on_uncertainty: called with a case and how unsure the model is of it, 0 to 1. windows: whether objects are
        decoded in object windows. charter: charts each case after it is encoded. files: hashes the files of images.
        """
        self._charter = charter
        self._load_segmenter = load_segmenter
        self._windows = windows
        self._images = ImageMemory() if images is None else images
        self._encoder = encoder
        self._worklist = worklist
        self._on_uncertainty = on_uncertainty
        self._files = FileHashes() if files is None else files
        self.threads = torch.get_num_threads()
        # Guards everything below it; notified at every change that a thread may wait for.
        self._changed = threading.Condition()
        self._served: ServedModel | None = None
        self._error: DentasamError | None = None
        self._stopping = False
        self._memory = EmbeddingMemory() if memory is None else memory
        self._cases = EncodedCases()
        self._order = EncodeOrder(worklist, self._cases, self._memory)
        # Cases whose pixels may be missing, the newest last.
        self._unread: list[int] = []
        self._threads = [
            threading.Thread(target=self._encode_in_use, name="encode-in-use", daemon=True),
            threading.Thread(target=self._encode_ahead, name="encode-ahead", daemon=True),
            threading.Thread(target=self._read_pixels, name="read-pixels", daemon=True),
        ]

    def start(self) -> None:
        """Begin to load the model and to encode; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """End the threads after the encodes in progress; whoever waits for an embedding gets a DentasamError."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))

    @property
    def is_running(self) -> bool:
        """Whether a thread of the queue is alive."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def model(self) -> ModelIdentity:
        """The model in use; an identity without a name until it is loaded."""
        served = self._served
        return ModelIdentity() if served is None else served.identity

    def wait_for_model(self, timeout: float | None = None) -> ModelIdentity:
        """Wait until the model is loaded. Raises DentasamError if it cannot be, TimeoutError after `timeout` s."""
        with self._changed:
            if not self._changed.wait_for(self._is_decided, timeout):
                raise TimeoutError("the model is still being loaded")
            return self._loaded_model().identity

    @property
    def windows(self) -> bool:
        """Whether the loaded model decodes objects in object windows."""
        served = self._served
        return served is not None and served.windows

    @property
    def chart_key(self) -> str | None:
        """What charts depend on besides their image; None where the loaded model makes none."""
        served = self._served
        return None if served is None else served.chart_key

    def chart_again(self) -> None:
        """Go through all cases once more, now that their charts are wanted."""
        with self._changed:
            self._cases.measured.clear()
            self._changed.notify_all()

    def worklist_changed(self) -> None:
        """The worklist has other cases now, which are encoded too."""
        with self._changed:
            self._changed.notify_all()

    def picture(self, case_id: int) -> str:
        """The hash of what the case's file holds now; a new picture is encoded again.

        Raises KeyError for an unknown case, ImageError if the file cannot be read.
        """
        image = self._worklist[case_id]
        try:
            picture = self._files.of(image.path)
        except OSError as error:
            raise ImageError(f"{image.name} cannot be read any more ({error.strerror}); put the file back") from None
        with self._changed:
            if self._cases.set_picture(case_id, picture):
                self._changed.notify_all()
        return picture

    def open(self, case_id: int, following: Sequence[int] = ()) -> None:
        """Encode this case first, then those that follow. Raises KeyError for an unknown case."""
        self._worklist[case_id]
        with self._changed:
            self._order.open(case_id, following)
            if self._charter is not None and self._charter.waits(self._served, case_id):
                # It may get proposals now that it is opened.
                self._cases.measured.discard(case_id)
            self._unread += [*reversed(following[:1]), case_id]
            self._changed.notify_all()

    @property
    def requested(self) -> Sequence[int]:
        """The cases that clicks wait for, in the order in which they were asked for."""
        with self._changed:
            return tuple(self._order.requested)

    def encoded(self, case_id: int) -> bool:
        """Whether a click on the case is answered without an encode."""
        return case_id in self._cases.encoded

    def progress(self) -> Progress:
        """How much of the worklist is encoded."""
        with self._changed:
            running = self._order.running
            current = self._worklist[running[0]].name if running else None
            return Progress(len(self._cases.encoded), len(self._worklist), current, dict(self._cases.errors))

    def served(self) -> ServedModel:
        """The model, once it is loaded. Raises DentasamError where it cannot be or the server is stopping."""
        with self._changed:
            self._changed.wait_for(self._is_decided)
            return self._loaded_model()

    def embedding(self, case_id: int) -> ReadyEmbedding:
        """The model and its embedding of what the case's file holds now, from memory, from the disk, or encoded.

        A case that is not encoded yet goes to the head of the queue. Raises as `Predictor.predict`.
        """
        image = self._worklist[case_id]
        started = time.perf_counter()
        served = self.served()
        picture = self.picture(case_id)
        seconds = 0.0
        with self._changed:
            embedding = self._memory.get(picture)
        if embedding is None:
            embedding = self._encoder.stored(served, picture)
            if embedding is not None:
                with self._changed:
                    self._memory.put(picture, embedding)
            else:
                picture, embedding = self._wait_for_encode(case_id)
            seconds = time.perf_counter() - started
        check_same_size(image, embedding.frame.height, embedding.frame.width)
        return ReadyEmbedding(served, embedding, seconds, picture)

    def request(self, case_id: int) -> bool:
        """Put a case that a click needs at the head of the queue, unless it is encoded. Returns whether it is.

        Where it is not, `waits` says when to ask again. Raises as `embedding`.
        """
        served = self.served()
        picture = self.picture(case_id)
        with self._changed:
            if self._memory.get(picture) is not None:
                return True
        embedding = self._encoder.stored(served, picture)
        with self._changed:
            if embedding is not None:
                self._memory.put(picture, embedding)
                return True
            self._loaded_model()
            # A click tries once more what failed before.
            self._cases.encoded.discard(case_id)
            self._cases.errors.pop(case_id, None)
            self._order.request(case_id)
            self._changed.notify_all()
        return False

    def waits(self, case_id: int) -> bool:
        """Whether a requested case is still to be encoded. Raises ImageError where it cannot be; takes no time."""
        with self._changed:
            self._loaded_model()
            if case_id in self._cases.errors:
                raise ImageError(self._cases.errors[case_id])
            return case_id not in self._cases.encoded and self._cases.pictures.get(case_id) not in self._memory

    def image(self, case_id: int) -> ReadyImage:
        """The model and the image of what the case's file holds now, with its embedding and its pixels.

        Raises as `Predictor.predict`.
        """
        started = time.perf_counter()
        for _ in range(MAX_READS):
            ready = self.embedding(case_id)
            waited = ready.picture not in self._images
            image = self._image(ready.served, case_id, ready.picture, ready.embedding)
            if image is not None:
                seconds = time.perf_counter() - started if waited else ready.seconds
                return ReadyImage(ready.served, image, seconds, ready.picture)
        raise ImageError(f"{self._worklist[case_id].name} is being written to; open it again when that is done")

    def _image(
        self,
        served: ServedModel,
        case_id: int,
        picture: str,
        embedding: ImageEmbedding,
        pixels: np.ndarray | None = None,
    ) -> WindowedImage | None:
        """The image of a picture, from memory or from the case's file; None where that holds another picture now.

        pixels: of the picture, where they have been read already.
        """
        image = self._worklist[case_id]
        current_picture = partial(self.picture, case_id)
        make = partial(self._encoder.image, served, image, picture, embedding, current_picture, pixels)
        return self._images.get(picture, make)

    def _wait_for_encode(self, case_id: int) -> tuple[str, ImageEmbedding]:
        with self._changed:
            # A click tries once more what failed before.
            self._cases.errors.pop(case_id, None)
            while True:
                self._loaded_model()
                # The file may change once more while it is encoded.
                picture = self._cases.pictures[case_id]
                embedding = self._memory.get(picture)
                if embedding is not None:
                    return picture, embedding
                if case_id in self._cases.errors:
                    raise ImageError(self._cases.errors[case_id])
                if self._order.request(case_id):
                    self._changed.notify_all()
                self._changed.wait()

    def _is_decided(self) -> bool:
        """Whether the model is loaded, cannot be loaded, or is not needed any more."""
        return self._served is not None or self._error is not None or self._stopping

    def _loaded_model(self) -> ServedModel:
        if self._stopping:
            raise DentasamError("the labelling server is stopping; start it again")
        if self._served is None:
            assert self._error is not None
            raise type(self._error)(str(self._error))
        return self._served

    def _encode_in_use(self) -> None:
        """The first thread: loads the model, then encodes what is in use."""
        served, error = self._load()
        with self._changed:
            self._served, self._error = served, error
            self._changed.notify_all()
        if served is not None:
            self._encode_all(served, self._order.next_in_use, self.threads)

    def _encode_ahead(self) -> None:
        """The second thread: encodes the rest of the worklist."""
        with self._changed:
            self._changed.wait_for(self._is_decided)
            served = self._served
        if served is not None:
            _lower_priority()
            self._encode_all(served, self._order.next_ahead, max(1, self.threads - 1))

    def _read_pixels(self) -> None:
        """The third thread: reads the pixels of cases in use whose embeddings are in memory."""
        with self._changed:
            self._changed.wait_for(self._is_decided)
            served = self._served
        while served is not None:
            with self._changed:
                self._changed.wait_for(lambda: self._unread or self._stopping)
                if self._stopping:
                    return
                case_id = self._unread.pop()
                picture = self._cases.pictures.get(case_id)
                # Where it is not in memory yet, the case comes here again with its embedding.
                embedding = None if picture is None else self._memory.get(picture)
            if picture is not None and embedding is not None:
                try:
                    self._image(served, case_id, picture, embedding)
                except Exception as error:
                    # The next click reads it again, and says what is wrong with it.
                    log.info("%s: its pixels could not be read (%s)", self._worklist[case_id].name, _line(error))

    def _load(self) -> tuple[ServedModel | None, DentasamError | None]:
        try:
            return ServedModel(self._load_segmenter(), windows=self._windows), None
        except DentasamError as error:
            return None, error
        except Exception as error:
            log.exception("the model could not be loaded")
            return None, CheckpointError(f"the model could not be loaded ({_line(error)})")

    def _encode_all(self, served: ServedModel, next_case: Callable[[], int | None], threads: int) -> None:
        """Encode what `next_case` gives, and wait where it gives nothing, until the queue stops."""
        while (case_id := self._take(next_case)) is not None:
            image = self._worklist[case_id]
            try:
                use_threads(threads)
                self._encode(served, case_id, image)
            except Exception as error:
                # One broken image, or one too large for the memory, must not stop the others.
                if not isinstance(error, DentasamError | OSError):
                    log.exception("%s could not be encoded", image.name)
                message = str(error) if isinstance(error, DentasamError) else _line(error)
                named = image.name in message or image.path.name in message
                with self._changed:
                    self._cases.errors[case_id] = message if named else f"{image.name}: {message}"
            finally:
                with self._changed:
                    self._order.running.remove(case_id)
                    self._changed.notify_all()

    def _take(self, next_case: Callable[[], int | None]) -> int | None:
        """The next case, waiting for one; None once the queue stops."""
        with self._changed:
            while not self._stopping:
                case_id = next_case()
                if case_id is not None:
                    self._order.running.append(case_id)
                    return case_id
                self._changed.wait()
            return None

    def _encode(self, served: ServedModel, case_id: int, image: CaseImage) -> None:
        """Put a case's embedding on the disk, and into memory if it is needed or fits; report its uncertainty."""
        picture, embedding, pixels = self._encoder.embedding(served, image, partial(self.picture, case_id))
        with self._changed:
            in_use = self._order.is_in_use(case_id)
        if in_use and pixels is not None:
            self._image(served, case_id, picture, embedding, pixels)
        with self._changed:
            if picture != self._cases.pictures[case_id]:
                return
            if in_use or len(self._memory) < self._memory.size:
                self._memory.put(picture, embedding)
            if in_use:
                self._unread.append(case_id)
            self._cases.encoded.add(case_id)
            self._changed.notify_all()
            if case_id in self._cases.measured:
                return
        value = self._uncertainty(served, case_id, image, EncodedCase(picture, embedding, pixels), in_use)
        with self._changed:
            if picture != self._cases.pictures[case_id]:
                return
            # Where it was opened while it was charted, it comes again.
            if self._charter is None or not self._charter.waits(served, case_id):
                self._cases.measured.add(case_id)
        try:
            self._on_uncertainty(case_id, value)
        except Exception:
            log.exception("%s: its uncertainty could not be stored", image.name)

    def _uncertainty(
        self, served: ServedModel, case_id: int, image: CaseImage, encoded: EncodedCase, in_use: bool
    ) -> float:
        """How unsure the model is of a case: by its chart where it has one, else by a few clicks on the image."""
        picture, embedding, pixels = encoded

        def windowed() -> WindowedImage | None:
            if in_use:
                return self._image(served, case_id, picture, embedding, pixels)
            current_picture = partial(self.picture, case_id)
            found = self._encoder.image(served, image, picture, embedding, current_picture, pixels)
            return None if found is None else found[0]

        value = None
        if self._charter is not None:
            value = self._charter.uncertainty(served, case_id, image, picture, windowed)
        return self._encoder.uncertainty(served, picture, embedding) if value is None else value


def use_threads(count: int) -> None:
    """Set how many threads torch uses for what this thread computes: the number is kept per thread."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _lower_priority() -> None:
    """Of this thread and of those that torch starts from it. Only Linux has a priority per thread."""
    if sys.platform.startswith("linux"):
        try:
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + BACKGROUND_NICE)
        except OSError:
            pass
