"""Cases are charted after they are encoded: once, in the order in which they are needed, each on its own."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dentasam.errors import ChartError
from dentasam.labelling.inference.encoding.case_encoder import CaseEncoder
from dentasam.labelling.inference.encoding.chart_store import ChartStore
from dentasam.labelling.inference.encoding.charted_image import ChartedImage
from dentasam.labelling.inference.encoding.charter import Charter
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.chart.chart import Chart
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.windowed_image import WindowedImage

WAIT = 30.0
CASES = range(1, 6)
PROBED = 0.9


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load("dentasam-tiny", device="cpu")


@dataclass
class Reader:
    """What the charter hands on, and what it asks."""

    on: bool = True
    taken: list[tuple[int, ChartedImage]] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)

    def waits(self, case_id: int) -> bool:
        return case_id in self.waiting

    def take(self, case_id: int, picture: str, served: ServedModel, chart: ChartedImage) -> None:
        self.waiting.discard(case_id)
        self.taken.append((case_id, chart))

    def fail(self, case_id: int, picture: str, served: ServedModel) -> None:
        self.waiting.discard(case_id)
        self.failed.append(case_id)


class Charts:
    """Stands in for the chart head: an object whose confidence follows from the case's number."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.broken: set[int] = set()
        self.held: set[int] = set()
        self.changed = threading.Condition()

    def __call__(self, served: ServedModel, image: WindowedImage) -> Chart:
        case = int(image.embedding.features[0, 0, 0, 0])
        with self.changed:
            self.made.append(case)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: case not in self.held, WAIT)
        if case in self.broken:
            raise ChartError(f"the head failed\non case {case}")
        answer = ObjectAnswer(BoxedMask(2, 2, np.ones((4, 4), bool)), np.zeros((4, 4), np.float32), 0.5)
        confidences = np.array([1 - case / 8], np.float32)
        return Chart((answer,), np.zeros((1, 4)), np.array([[4, 4]]), ("36",), confidences, 16, 256)

    def release(self) -> None:
        with self.changed:
            self.held.clear()
            self.changed.notify_all()


def encoded(model: ServedModel, image: np.ndarray) -> ImageEmbedding:
    frame = Frame.of(*image.shape)
    features = torch.full((1, 256, frame.rows, frame.cols), float(image[0, 0]))
    return ImageEmbedding(features, torch.zeros(1, 32, *frame.logits), frame)


@dataclass
class Running:
    queue: EncodeQueue
    reader: Reader
    uncertainties: dict[int, float]

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not holds():
            assert time.monotonic() < end, (self.reader, self.uncertainties)
            time.sleep(0.002)

    def until_measured(self) -> None:
        self.until(lambda: len(self.uncertainties) == len(CASES) and self.queue.progress().current is None)


Start = Callable[..., Running]


@pytest.fixture
def charts(monkeypatch: pytest.MonkeyPatch) -> Charts:
    found = Charts()
    monkeypatch.setattr(ServedModel, "chart_key", property(lambda served: f"head of {served.key}"))
    monkeypatch.setattr(ServedModel, "chart", lambda served, image: found(served, image))
    return found


@pytest.fixture
def start(tmp_path: Path, segmenter: Segmenter, charts: Charts) -> Iterator[Start]:
    started: list[EncodeQueue] = []
    worklist = {}
    for case in CASES:
        path = tmp_path / f"{case}.png"
        Image.fromarray(np.full((16, 256), case, np.uint8)).save(path)
        worklist[case] = CaseImage(path.name, path, 256, 16, 8)

    def start(reader: Reader | None = None) -> Running:
        for queue in started:
            queue.stop()
        reader = Reader() if reader is None else reader
        uncertainties: dict[int, float] = {}
        folder = tmp_path / "embeddings"
        encoder = CaseEncoder(EmbeddingStore(folder), encode=encoded, measure=lambda model, embedding: PROBED)
        charter = Charter(ChartStore(folder), reader)
        queue = EncodeQueue(lambda: segmenter, encoder, worklist, uncertainties.__setitem__, charter=charter)
        started.append(queue)
        queue.start()
        return Running(queue, reader, uncertainties)

    yield start
    charts.release()
    for queue in started:
        queue.stop()


def test_each_case_is_charted_once_and_its_uncertainty_is_the_charts(start: Start, charts: Charts) -> None:
    running = start()
    running.until_measured()
    assert sorted(charts.made) == list(CASES)
    assert sorted(case for case, _ in running.reader.taken) == list(CASES)
    assert running.uncertainties == pytest.approx({case: case / 8 for case in CASES})
    # After a restart the charts come from the disk, and the reader gets the same ones.
    again = start()
    again.until_measured()
    assert len(charts.made) == len(CASES)
    assert dict(again.reader.taken) == dict(running.reader.taken)


def test_a_chart_that_fails_leaves_its_case_and_the_others_as_they_are(
    start: Start, charts: Charts, caplog: pytest.LogCaptureFixture
) -> None:
    charts.broken.add(2)
    with caplog.at_level(logging.WARNING):
        running = start()
        running.until_measured()
    assert running.reader.failed == [2]
    assert sorted(case for case, _ in running.reader.taken) == [1, 3, 4, 5]
    assert running.uncertainties[2] == PROBED
    assert running.queue.encoded(2)
    assert running.queue.progress().failed == {}
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == "2.png: no proposals, since its chart failed (the head failed on case 2)"


def test_nothing_is_charted_while_charts_are_off_and_all_is_when_they_are_on(start: Start, charts: Charts) -> None:
    running = start(Reader(on=False))
    running.until_measured()
    assert charts.made == []
    assert set(running.uncertainties.values()) == {PROBED}
    running.reader.on = True
    running.queue.chart_again()
    running.until(lambda: len(running.reader.taken) == len(CASES))
    running.until(lambda: running.queue.progress().current is None)
    assert running.uncertainties == pytest.approx({case: case / 8 for case in CASES})


def test_an_opened_case_is_charted_before_the_rest(start: Start, charts: Charts) -> None:
    charts.held = {1}
    running = start()
    running.until(lambda: charts.made == [1])
    running.queue.open(5)
    running.until(lambda: [case for case, _ in running.reader.taken] == [5])
    charts.release()
    running.until_measured()
    assert charts.made[:2] == [1, 5]


def test_a_charted_case_comes_again_when_its_opening_needs_the_chart(start: Start, charts: Charts) -> None:
    running = start()
    running.until_measured()
    before = len(running.reader.taken)
    running.queue.open(4)
    running.reader.waiting.add(3)
    running.queue.open(3)
    running.until(lambda: len(running.reader.taken) == before + 1)
    assert running.reader.taken[-1][0] == 3
    assert len(charts.made) == len(CASES)


def test_a_case_that_is_opened_while_it_is_charted_comes_again(start: Start, charts: Charts) -> None:
    charts.held = {1}
    running = start()
    running.until(lambda: charts.made == [1])
    taken = running.reader.take

    def take(case_id: int, picture: str, served: ServedModel, chart: ChartedImage) -> None:
        taken(case_id, picture, served, chart)
        if running.reader.taken.count((case_id, chart)) == 1 and case_id == 1:
            running.reader.waiting.add(1)

    running.reader.take = take  # type: ignore[method-assign]
    charts.release()
    running.until(lambda: [case for case, _ in running.reader.taken].count(1) == 2)
