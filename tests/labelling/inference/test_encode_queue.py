"""The order of encoding, and what faults of a model, an image or a disk do to it."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dentasam.errors import AdapterError, DentasamError, ImageError
from dentasam.labelling.inference import encode_queue
from dentasam.labelling.inference.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encode_queue import Encoder
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
def encodes(monkeypatch: pytest.MonkeyPatch) -> Encodes:
    gate = Encodes()
    monkeypatch.setattr(ServedModel, "encode", lambda self, image: gate(self, image))
    monkeypatch.setattr(
        encode_queue, "uncertainty", lambda model, embedding: float(embedding.features[0, 0, 0, 0]) / 4
    )
    return gate


@pytest.fixture
def images(tmp_path: Path) -> dict[int, Path]:
    """Cases 1 to 8, whose pixels are their number."""
    paths = {case: tmp_path / f"{case}.png" for case in range(1, 9)}
    for case, path in paths.items():
        Image.fromarray(np.full((16, 256), case, np.uint8)).save(path)
    return paths


Start = Callable[..., Encoder]


@pytest.fixture
def start(tmp_path: Path, segmenter: Segmenter, images: dict[int, Path], encodes: Encodes) -> Iterator[Start]:
    started = []

    def start(loader: Callable[[], Segmenter] = lambda: segmenter, told: dict[int, float] | None = None) -> Encoder:
        tell = (told if told is not None else {}).__setitem__
        cases = {case: CaseImage(path.name, path, 256, 16, 8) for case, path in images.items()}
        encoder = Encoder(loader, EmbeddingStore(tmp_path / "embeddings"), cases, tell)
        started.append(encoder)
        encoder.start()
        return encoder

    yield start
    encodes.end_all()
    for encoder in started:
        encoder.stop()


def until(encoder: Encoder, holds: Callable[[], bool]) -> None:
    with encoder._changed:
        assert encoder._changed.wait_for(holds, WAIT)


def asked(encoder: Encoder, case: int, answers: dict[int, object]) -> threading.Thread:
    """A click in a request's thread; its answer goes to `answers`."""

    def ask() -> None:
        try:
            answers[case] = encoder.embedding(case)
        except DentasamError as fault:
            answers[case] = fault

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def test_requested_first_then_opened_then_following_then_the_rest(start: Start, encodes: Encodes) -> None:
    encoder = start()
    assert encodes.wait_begun(1) == [1]
    encoder.open(5, [7, 6])
    assert encodes.wait_begun(2) == [1, 5]
    answers: dict[int, object] = {}
    waiting = asked(encoder, 8, answers)
    until(encoder, lambda: encoder._requested == [8])
    encoder.open(4, [7, 6])  # a new open while 5 is in progress does not pass the click
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
    until(encoder, lambda: encoder.progress().encoded == 8)
    assert encodes.begun == [1, 5, 8, 4, 7, 6, 2, 3]


def test_a_click_on_a_case_in_progress_waits_for_it_alone(start: Start, encodes: Encodes) -> None:
    encoder = start()
    encodes.wait_begun(1)
    answers: dict[int, object] = {}
    waiting = asked(encoder, 1, answers)
    until(encoder, lambda: encoder._requested == [1])
    assert encoder.progress().current == "1.png"
    assert not encoder.encoded(1)
    encodes.end(1)
    waiting.join(WAIT)
    assert isinstance(answers[1], tuple)
    assert encoder.encoded(1)
    assert encodes.begun.count(1) == 1


def test_an_encoded_case_needs_neither_encoder_nor_disk(
    start: Start, encodes: Encodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = start()
    encodes.end(1)
    encodes.wait_begun(2)  # it is busy with 2 now
    monkeypatch.setattr(EmbeddingStore, "get", lambda *given: pytest.fail("read from disk"))
    served, embedding, waited, _ = encoder.embedding(1)
    assert (float(embedding.features[0, 0, 0, 0]), waited) == (0.125, 0.0)
    assert served.identity == encoder.model


def test_a_second_start_encodes_nothing_and_tells_the_same(start: Start, encodes: Encodes) -> None:
    encodes.end_all()
    first: dict[int, float] = {}
    encoder = start(told=first)
    until(encoder, lambda: len(encoder._told) == 8)
    encoder.stop()
    assert sorted(encodes.begun) == list(range(1, 9))
    second: dict[int, float] = {}
    again = start(told=second)
    until(again, lambda: len(again._told) == 8)
    again.stop()
    assert len(encodes.begun) == 8
    assert first == second == {case: case / 32 for case in range(1, 9)}


def test_one_broken_image_does_not_stop_the_others_and_is_tried_again_on_a_click(
    start: Start, encodes: Encodes, images: dict[int, Path]
) -> None:
    good = images[2].read_bytes()
    images[2].write_bytes(good[:40])
    images[3].unlink()
    encodes.end_all()
    encoder = start()
    until(encoder, lambda: encoder.progress().encoded == 6 and len(encoder.progress().failed) == 2)
    failed = encoder.progress().failed
    assert sorted(failed) == [2, 3]
    assert "2.png" in failed[2]
    assert all("\n" not in line for line in failed.values())
    with pytest.raises(ImageError, match=r"2\.png"):
        encoder.embedding(2)
    images[2].write_bytes(good)
    assert float(encoder.embedding(2)[1].features[0, 0, 0, 0]) == 0.25
    assert sorted(encoder.progress().failed) == [3]


def test_a_fault_nobody_foresaw_is_the_images_alone(
    start: Start, encodes: Encodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(model: ServedModel, image: np.ndarray) -> ImageEmbedding:
        if image[0, 0] == 4:
            raise RuntimeError("out of memory\nwith a long story")
        return encodes(model, image)

    monkeypatch.setattr(ServedModel, "encode", encode)
    encodes.end_all()
    encoder = start()
    until(encoder, lambda: encoder.progress().encoded == 7 and not encoder._encoding)
    assert encoder.progress().failed == {4: "4.png: out of memory with a long story"}


def test_a_model_that_cannot_be_loaded_is_told_to_everybody(start: Start) -> None:
    def loader() -> Segmenter:
        raise AdapterError("x: no such adapter")

    encoder = start(loader)
    for ask in (encoder.wait_for_model, lambda: encoder.embedding(1)):
        with pytest.raises(AdapterError, match="no such adapter"):
            ask()
    assert encoder.model.name == ""


def test_the_start_does_not_wait_for_the_model(start: Start, segmenter: Segmenter) -> None:
    gate = threading.Event()

    def loader() -> Segmenter:
        assert gate.wait(WAIT)
        return segmenter

    encoder = start(loader)
    assert (encoder.model.name, encoder.progress().encoded, encoder.progress().total) == ("", 0, 8)
    with pytest.raises(TimeoutError):
        encoder.wait_for_model(0.01)
    gate.set()
    assert encoder.wait_for_model(WAIT).name == "dentasam-tiny"


def test_stopping_answers_who_waits(start: Start, encodes: Encodes) -> None:
    encoder = start()
    encodes.wait_begun(1)
    answers: dict[int, object] = {}
    waiting = asked(encoder, 6, answers)
    encodes.wait_begun(2)
    stopping = threading.Thread(target=encoder.stop)
    stopping.start()
    waiting.join(WAIT)
    assert isinstance(answers[6], DentasamError)
    encodes.end_all()
    stopping.join(WAIT)
    assert not any(thread.is_alive() for thread in encoder._encoders)


def test_a_full_disk_costs_the_next_start_time_and_nothing_else(
    start: Start, encodes: Encodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*given: object) -> ImageEmbedding:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EmbeddingStore, "put", full)
    encodes.end_all()
    encoder = start()
    until(encoder, lambda: len(encoder._told) == 8)
    assert encoder.progress().failed == {}
    assert list((tmp_path / "embeddings").glob("*/*.safetensors")) == []
    assert float(encoder.embedding(3)[1].features[0, 0, 0, 0]) == 0.375


def test_memory_holds_a_few_embeddings_and_opened_ones_among_them(
    start: Start, encodes: Encodes, images: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_queue, "HELD_EMBEDDINGS", 4)
    encodes.end_all()
    encoder = start()
    until(encoder, lambda: len(encoder._told) == 8)
    assert len(encoder._embeddings) == 4
    encoder.open(8, [7, 6])
    opened = {hashlib.sha256(images[case].read_bytes()).hexdigest() for case in (7, 8)}
    until(encoder, lambda: {picture for _, picture in encoder._embeddings} >= opened)
    assert len(encoder._embeddings) == 4
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
def test_another_picture_in_the_file_is_encoded_and_told_anew(
    start: Start, encodes: Encodes, images: dict[int, Path], how: str
) -> None:
    encodes.end_all()
    told: dict[int, float] = {}
    encoder = start(told=told)
    until(encoder, lambda: len(encoder._told) == 8)
    first = encoder.embedding(3)
    replace(images[3], 24, how)
    ready = encoder.embedding(3)
    assert float(ready.embedding.features[0, 0, 0, 0]) == 3.0
    assert ready.picture == hashlib.sha256(images[3].read_bytes()).hexdigest() != first.picture
    until(encoder, lambda: len(encoder._told) == 8)
    assert told[3] == 0.75
    assert encodes.begun == [*encodes.begun[:8], 24]
    # The old picture once more: its embedding is still there.
    replace(images[3], 3, "moved")
    assert float(encoder.embedding(3).embedding.features[0, 0, 0, 0]) == 0.375
    assert len(encodes.begun) == 9


def test_a_picture_replaced_while_it_is_read_is_not_kept_under_the_new_ones_name(
    start: Start, encodes: Encodes, images: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> np.ndarray:
        pixels = np.asarray(Image.open(path))
        if path == images[1] and pixels[0, 0] == 1:
            replace(path, 16, "moved")
        return pixels

    monkeypatch.setattr(encode_queue, "read_image", read)
    encodes.end_all()
    encoder = start()
    assert float(encoder.embedding(1).embedding.features[0, 0, 0, 0]) == 2.0


def test_a_picture_of_another_size_is_refused_for_its_case_alone(
    start: Start, encodes: Encodes, images: dict[int, Path]
) -> None:
    encodes.end_all()
    encoder = start()
    until(encoder, lambda: len(encoder._told) == 8)
    good = images[2].read_bytes()
    Image.fromarray(np.full((32, 256), 2, np.uint8)).save(images[2])
    with pytest.raises(ImageError, match=r"2\.png is now another picture of 256x32 pixels.* 256x16"):
        encoder.embedding(2)
    assert float(encoder.embedding(1).embedding.features[0, 0, 0, 0]) == 0.125
    images[2].write_bytes(good)
    assert float(encoder.embedding(2).embedding.features[0, 0, 0, 0]) == 0.25
    assert encoder.progress().failed == {}


def test_an_image_that_comes_later_is_encoded_too(
    start: Start, encodes: Encodes, images: dict[int, Path], tmp_path: Path
) -> None:
    encodes.end_all()
    encoder = start()
    Image.fromarray(np.full((16, 256), 40, np.uint8)).save(tmp_path / "later.png")
    encoder.add(9, CaseImage("later.png", tmp_path / "later.png", 256, 16, 8))
    until(encoder, lambda: len(encoder._told) == 9)
    assert encoder.progress().total == 9
    assert float(encoder.embedding(9).embedding.features[0, 0, 0, 0]) == 5.0


def test_an_unknown_case_is_refused(start: Start) -> None:
    encoder = start()
    for ask in (encoder.open, encoder.embedding):
        with pytest.raises(KeyError):
            ask(99)
    assert not encoder.encoded(99)
