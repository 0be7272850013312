"""A chart comes back from the disk as it was, for its picture and its model alone."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch

from dentasam.labelling.inference.encoding.chart_store import ChartStore
from dentasam.labelling.inference.encoding.charted_image import ChartedImage
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.model.chart.chart import Chart
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer


def model(chart_key: str = "head") -> ServedModel:
    return cast(ServedModel, SimpleNamespace(key="base", chart_key=chart_key))


def chart() -> ChartedImage:
    masks = [BoxedMask(3, 4, np.ones((10, 6), bool)), BoxedMask(20, 4, np.eye(8, dtype=bool))]
    answers = tuple(ObjectAnswer(mask, np.zeros((4, 4), np.float32), 0.5) for mask in masks)
    boxes, clicks = np.zeros((2, 4), np.float32), np.array([[5, 8], [23, 7]], np.float32)
    confidences = np.array([0.75, 1.5], np.float32)
    return ChartedImage.of(Chart(answers, boxes, clicks, ("36", "implant"), confidences, 40, 60))


def test_a_chart_keeps_all_that_proposals_are_made_from() -> None:
    first, second = chart().objects
    assert (first.number, first.click, first.score, first.confidence, first.answered_by) == (
        "36",
        (5.0, 8.0),
        0.5,
        0.75,
        "whole",
    )
    assert first.mask.area == 60
    # A probability, whatever the head gave.
    assert second.confidence == 1


def test_a_chart_comes_back_for_its_picture_and_its_model_alone(tmp_path: Path) -> None:
    store = ChartStore(tmp_path)
    assert store.get("p", model()) is None
    store.put("p", model(), chart())
    assert store.get("p", model()) == chart()
    assert store.get("q", model()) is None
    assert store.get("p", model("another head")) is None


def test_a_damaged_chart_counts_as_absent(tmp_path: Path) -> None:
    store = ChartStore(tmp_path)
    for cut in (slice(0, 3), slice(0, -1), slice(5, None)):
        store.put("p", model(), chart())
        (path,) = tmp_path.glob("??/*.chart")
        path.write_bytes(path.read_bytes()[cut])
        assert store.get("p", model()) is None
        assert not path.exists()


def test_a_chart_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    store = ChartStore(tmp_path)
    store.put("p", model(), chart())
    (path,) = tmp_path.glob("??/*.chart")
    os.truncate(path, 8 << 30)
    assert store.get("p", model()) is None
    assert not path.exists()


def test_a_chart_goes_with_its_embedding(tmp_path: Path) -> None:
    frame = Frame.of(16, 64)
    embedding = ImageEmbedding(torch.zeros(1, 256, frame.rows, frame.cols), torch.zeros(1, 32, *frame.logits), frame)
    embeddings, charts = EmbeddingStore(tmp_path, limit=1), ChartStore(tmp_path)
    embeddings.put("p", "base", embedding)
    charts.put("p", model(), chart())
    embeddings.put("q", "base", embedding)
    assert charts.get("p", model()) is None
