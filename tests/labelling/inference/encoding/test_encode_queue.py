"""The order of encoding, and what errors of a model, an image or a disk do to it."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dentasam.data.images.read import read_image
from dentasam.errors import AdapterError, DentasamError, ImageError
from dentasam.labelling.inference.encoding.case_encoder import CaseEncoder
from dentasam.labelling.inference.encoding.embedding_memory import EmbeddingMemory
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter

WAIT = 30.0


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load("dentasam-tiny", device="cpu")


class Encodes:
    """Stands in for the image encoder: tells which case it began, and ends it when the test says so."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.free: set[int] = set()
        self.all_free = False
        self.changed = threading.Condition()

    def __call__(self, model: ServedModel, image: np.ndarray) -> ImageEmbedding:
        case = int(image[0, 0])
        with self.changed:
            self.begun.append(case)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.all_free or case in self.free, WAIT)
        frame = Frame.of(*image.shape)
        return ImageEmbedding(
            torch.full((1, 256, frame.rows, frame.cols), case / 8), torch.zeros(1, 32, *frame.logits), frame
        )

    def end(self, *cases: int) -> None:
        with self.changed:
            self.free |= set(cases)
            self.changed.notify_all()

    def end_all(self) -> None:
        with self.changed:
            self.all_free = True
            self.changed.notify_all()

    def wait_begun(self, count: int) -> list[int]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.begun) >= count, WAIT), self.begun
            return list(self.begun)


@pytest.fixture
def encodes() -> Encodes:
    return Encodes()


def measured(model: object, embedding: ImageEmbedding) -> float:
    """In place of the uncertainty: made of the case's number."""
    return float(embedding.features[0, 0, 0, 0]) / 4


@pytest.fixture
def images(tmp_path: Path) -> dict[int, Path]:
    """Cases 1 to 8, whose pixels are their number."""
    paths = {case: tmp_path / f"{case}.png" for case in range(1, 9)}
    for case, path in paths.items():
        Image.fromarray(np.full((16, 256), case, np.uint8)).save(path)
    return paths


@dataclass
class Running:
    """A queue, the uncertainties that it has reported, and the embeddings that it holds."""

    queue: EncodeQueue
    worklist: dict[int, CaseImage]
    uncertainties: dict[int, float]
    memory: EmbeddingMemory

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.002)

    def until_measured(self, count: int = 8) -> None:
        """Until as many cases are encoded and their uncertainty is reported."""
        self.until(lambda: len(self.uncertainties) == count and self.queue.progress().current is None)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, segmenter: Segmenter, images: dict[int, Path], encodes: Encodes) -> Iterator[Start]:
    started = []

    def start(
        loader: Callable[[], Segmenter] = lambda: segmenter,
        *,
        read: Callable[[Path], np.ndarray] = read_image,
        encode: Callable[[ServedModel, np.ndarray], ImageEmbedding] = encodes,
        size: int = 8,
    ) -> Running:
        uncertainties: dict[int, float] = {}
        worklist = {case: CaseImage(path.name, path, 256, 16, 8) for case, path in images.items()}
        encoder = CaseEncoder(EmbeddingStore(tmp_path / "embeddings"), read=read, encode=encode, measure=measured)
        memory = EmbeddingMemory(size)
        queue = EncodeQueue(loader, encoder, worklist, uncertainties.__setitem__, memory)
        started.append(queue)
        queue.start()
        return Running(queue, worklist, uncertainties, memory)

    yield start
    encodes.end_all()
    for queue in started:
        queue.stop()


def asked(queue: EncodeQueue, case: int, answers: dict[int, object]) -> threading.Thread:
    """A click in a request's thread; its answer goes to `answers`."""

    def ask() -> None:
        try:
            answers[case] = queue.embedding(case)
        except DentasamError as error:
            answers[case] = error

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def test_requested_first_then_opened_then_following_then_the_rest(start: Start, encodes: Encodes) -> None:
    running = start()
    assert encodes.wait_begun(1) == [1]
    running.queue.open(5, [7, 6])
    assert encodes.wait_begun(2) == [1, 5]
    answers: dict[int, object] = {}
    waiting = asked(running.queue, 8, answers)
    running.until(lambda: running.queue.requested == (8,))
    running.queue.open(4, [7, 6])  # a new open while 5 is in progress does not pass the click
    encodes.end(5)
    assert encodes.wait_begun(3) == [1, 5, 8]
    encodes.end(8)
    waiting.join(WAIT)
    assert answers[8][1].features[0, 0, 0, 0] == 1.0  # type: ignore[index]
    assert encodes.wait_begun(4) == [1, 5, 8, 4]
    encodes.end(1)
    assert encodes.wait_begun(5)[-1] == 7
    encodes.end(7)
    assert encodes.wait_begun(6)[-1] == 6
    encodes.end(6)
    assert encodes.wait_begun(7)[-1] == 2
    encodes.end_all()
    running.until(lambda: running.queue.progress().encoded == 8)
    assert encodes.begun == [1, 5, 8, 4, 7, 6, 2, 3]


def test_a_click_on_a_case_in_progress_waits_for_it_alone(start: Start, encodes: Encodes) -> None:
    running = start()
    encodes.wait_begun(1)
    answers: dict[int, object] = {}
    waiting = asked(running.queue, 1, answers)
    running.until(lambda: running.queue.requested == (1,))
    assert running.queue.progress().current == "1.png"
    assert not running.queue.encoded(1)
    encodes.end(1)
    waiting.join(WAIT)
    assert isinstance(answers[1], tuple)
    assert running.queue.encoded(1)
    assert encodes.begun.count(1) == 1


def test_an_encoded_case_needs_neither_encoder_nor_disk(
    start: Start, encodes: Encodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start()
    encodes.end(1)
    encodes.wait_begun(2)  # it is busy with 2 now
    monkeypatch.setattr(EmbeddingStore, "get", lambda *given: pytest.fail("read from disk"))
    served, embedding, waited, _ = running.queue.embedding(1)
    assert (float(embedding.features[0, 0, 0, 0]), waited) == (0.125, 0.0)
    assert served.identity == running.queue.model


def test_a_second_start_encodes_nothing_and_reports_the_same(start: Start, encodes: Encodes) -> None:
    encodes.end_all()
    first = start()
    first.until_measured()
    first.queue.stop()
    assert sorted(encodes.begun) == list(range(1, 9))
    second = start()
    second.until_measured()
    second.queue.stop()
    assert len(encodes.begun) == 8
    assert first.uncertainties == second.uncertainties == {case: case / 32 for case in range(1, 9)}


def test_one_broken_image_does_not_stop_the_others_and_is_tried_again_on_a_click(
    start: Start, encodes: Encodes, images: dict[int, Path]
) -> None:
    good = images[2].read_bytes()
    images[2].write_bytes(good[:40])
    images[3].unlink()
    encodes.end_all()
    running = start()
    running.until(lambda: running.queue.progress().encoded == 6 and len(running.queue.progress().failed) == 2)
    failed = running.queue.progress().failed
    assert sorted(failed) == [2, 3]
    assert "2.png" in failed[2]
    assert all("\n" not in line for line in failed.values())
    with pytest.raises(ImageError, match=r"2\.png"):
        running.queue.embedding(2)
    images[2].write_bytes(good)
    assert float(running.queue.embedding(2)[1].features[0, 0, 0, 0]) == 0.25
    assert sorted(running.queue.progress().failed) == [3]


def test_an_unexpected_error_is_the_images_alone(start: Start, encodes: Encodes) -> None:
    def encode(model: ServedModel, image: np.ndarray) -> ImageEmbedding:
        if image[0, 0] == 4:
            raise RuntimeError("out of memory\nwith a long story")
        return encodes(model, image)

    encodes.end_all()
    running = start(encode=encode)
    running.until(lambda: running.queue.progress().encoded == 7 and running.queue.progress().current is None)
    assert running.queue.progress().failed == {4: "4.png: out of memory with a long story"}


def test_everybody_gets_the_error_of_a_model_that_cannot_be_loaded(start: Start) -> None:
    def loader() -> Segmenter:
        raise AdapterError("x: no such adapter")

    running = start(loader)
    for ask in (running.queue.wait_for_model, lambda: running.queue.embedding(1)):
        with pytest.raises(AdapterError, match="no such adapter"):
            ask()
    assert running.queue.model.name == ""


def test_the_start_does_not_wait_for_the_model(start: Start, segmenter: Segmenter) -> None:
    gate = threading.Event()

    def loader() -> Segmenter:
        assert gate.wait(WAIT)
        return segmenter

    running = start(loader)
    assert (running.queue.model.name, running.queue.progress().encoded, running.queue.progress().total) == ("", 0, 8)
    with pytest.raises(TimeoutError):
        running.queue.wait_for_model(0.01)
    gate.set()
    assert running.queue.wait_for_model(WAIT).name == "dentasam-tiny"


def test_stopping_answers_who_waits(start: Start, encodes: Encodes) -> None:
    running = start()
    encodes.wait_begun(1)
    answers: dict[int, object] = {}
    waiting = asked(running.queue, 6, answers)
    encodes.wait_begun(2)
    stopping = threading.Thread(target=running.queue.stop)
    stopping.start()
    waiting.join(WAIT)
    assert isinstance(answers[6], DentasamError)
    encodes.end_all()
    stopping.join(WAIT)
    assert not running.queue.is_running


def test_a_full_disk_costs_the_next_start_time_and_nothing_else(
    start: Start, encodes: Encodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*given: object) -> ImageEmbedding:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EmbeddingStore, "put", full)
    encodes.end_all()
    running = start()
    running.until_measured()
    assert running.queue.progress().failed == {}
    assert list((tmp_path / "embeddings").glob("*/*.safetensors")) == []
    assert float(running.queue.embedding(3)[1].features[0, 0, 0, 0]) == 0.375


def test_memory_holds_a_few_embeddings_and_opened_ones_among_them(
    start: Start, encodes: Encodes, images: dict[int, Path]
) -> None:
    encodes.end_all()
    running = start(size=4)
    running.until_measured()
    assert len(running.memory) == 4
    running.queue.open(8, [7, 6])
    opened = {hashlib.sha256(images[case].read_bytes()).hexdigest() for case in (7, 8)}
    running.until(lambda: running.memory.pictures >= opened)
    assert len(running.memory) == 4
    assert len(encodes.begun) == 8


def replace(path: Path, value: int, how: str) -> None:
    """Puts another picture of the same size in a file's place."""
    other = path.with_name(f"other-{value}.png")
    Image.fromarray(np.full((16, 256), value, np.uint8)).save(other)
    before = path.stat()
    if how == "in place, with its date":
        path.write_bytes(other.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "moved over it, with its date":
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(path)
    elif how == "a link turned":
        path.unlink()
        path.symlink_to(other)
    else:
        other.replace(path)


@pytest.mark.parametrize("how", ["in place, with its date", "moved over it, with its date", "a link turned", "moved"])
def test_another_picture_in_the_file_is_encoded_and_measured_anew(
    start: Start, encodes: Encodes, images: dict[int, Path], how: str
) -> None:
    encodes.end_all()
    running = start()
    running.until_measured()
    first = running.queue.embedding(3)
    replace(images[3], 24, how)
    ready = running.queue.embedding(3)
    assert float(ready.embedding.features[0, 0, 0, 0]) == 3.0
    assert ready.picture == hashlib.sha256(images[3].read_bytes()).hexdigest() != first.picture
    running.until(lambda: running.uncertainties[3] == 0.75)
    assert encodes.begun == [*encodes.begun[:8], 24]
    # The old picture once more: its embedding is still there.
    replace(images[3], 3, "moved")
    assert float(running.queue.embedding(3).embedding.features[0, 0, 0, 0]) == 0.375
    assert len(encodes.begun) == 9


def test_a_picture_replaced_while_it_is_read_is_not_kept_under_the_new_ones_name(
    start: Start, encodes: Encodes, images: dict[int, Path]
) -> None:
    def read(path: Path) -> np.ndarray:
        pixels = np.asarray(Image.open(path))
        if path == images[1] and pixels[0, 0] == 1:
            replace(path, 16, "moved")
        return pixels

    encodes.end_all()
    running = start(read=read)
    assert float(running.queue.embedding(1).embedding.features[0, 0, 0, 0]) == 2.0


def test_a_picture_of_another_size_is_refused_for_its_case_alone(
    start: Start, encodes: Encodes, images: dict[int, Path]
) -> None:
    encodes.end_all()
    running = start()
    running.until_measured()
    good = images[2].read_bytes()
    Image.fromarray(np.full((32, 256), 2, np.uint8)).save(images[2])
    with pytest.raises(ImageError, match=r"2\.png is now another picture of 256x32 pixels.* 256x16"):
        running.queue.embedding(2)
    assert float(running.queue.embedding(1).embedding.features[0, 0, 0, 0]) == 0.125
    images[2].write_bytes(good)
    assert float(running.queue.embedding(2).embedding.features[0, 0, 0, 0]) == 0.25
    assert running.queue.progress().failed == {}


def test_an_image_that_comes_later_is_encoded_too(
    start: Start, encodes: Encodes, images: dict[int, Path], tmp_path: Path
) -> None:
    encodes.end_all()
    running = start()
    Image.fromarray(np.full((16, 256), 40, np.uint8)).save(tmp_path / "later.png")
    running.worklist[9] = CaseImage("later.png", tmp_path / "later.png", 256, 16, 8)
    running.queue.worklist_changed()
    running.until_measured(9)
    assert running.queue.progress().total == 9
    assert float(running.queue.embedding(9).embedding.features[0, 0, 0, 0]) == 5.0


def test_an_unknown_case_is_refused(start: Start) -> None:
    running = start()
    for ask in (running.queue.open, running.queue.embedding):
        with pytest.raises(KeyError):
            ask(99)
    assert not running.queue.encoded(99)


def test_a_request_does_not_wait_and_says_when_it_is_done(start: Start, encodes: Encodes) -> None:
    running = start()
    encodes.wait_begun(1)
    assert not running.queue.request(7)
    assert running.queue.waits(7)
    assert encodes.wait_begun(2) == [1, 7]
    encodes.end(7)
    running.until(lambda: not running.queue.waits(7))
    assert running.queue.request(7)


def test_a_requested_case_that_cannot_be_encoded_says_so(start: Start, images: dict[int, Path]) -> None:
    images[5].write_bytes(b"not a picture")
    running = start(encode=lambda model, image: None)
    assert not running.queue.request(5)

    def failed() -> bool:
        try:
            return not running.queue.waits(5)
        except ImageError:
            return True

    running.until(failed)
    with pytest.raises(ImageError, match="5.png"):
        running.queue.waits(5)
