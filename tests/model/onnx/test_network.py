"""What an exported model does with calls of many threads, and with graphs that take or give something else."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dentasam.errors import CheckpointError
from dentasam.model.core.frame import Frame
from dentasam.model.onnx import network, session_memory
from dentasam.model.onnx.export import DECODER, ENCODER, ExportCard
from dentasam.model.onnx.network import OnnxNetwork
from dentasam.model.onnx.session_memory import BASE_BYTES


class CountingSession:
    """Counts the runs at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = self.most = 0

    def run(self, outputs: tuple[str, ...], feed: dict[str, np.ndarray], options: Any) -> list[Any]:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.01)
        with self._lock:
            self.running -= 1
        return []


def test_few_graphs_run_at_a_time_whatever_the_number_of_threads() -> None:
    session = CountingSession()
    with ThreadPoolExecutor(12) as threads:
        for _ in range(24):
            threads.submit(network._computed, session, ("a",), {}, Path("decoder.onnx"), 60.0)
    assert session.most == network.RUNS_AT_ONCE


FLOAT, WHOLE, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
# ONNX Runtime infers shapes from the inputs', where these state theirs.
ANY_PIXELS: Any = ("pixels", FLOAT, None)
PIXELS, PLACE = ("pixels", FLOAT, ["b", 3, "h", "w"]), ("place", WHOLE, [2])
EMBEDDING = [("features", FLOAT, None), ("hq", FLOAT, None)]
PROMPTS = [
    ("image", WHOLE, None),
    ("points", FLOAT, None),
    ("labels", WHOLE, None),
    ("previous", FLOAT, None),
    ("has_previous", BOOL, None),
]
ANSWERS = [(name, FLOAT, None) for name in ("logits", "scores", "choices", "choice_scores")]
Ends = Sequence[tuple[str, int, Any]]


def write_graph(path: Path, nodes: list[NodeProto], inputs: Ends, outputs: Ends) -> None:
    given, results = ([helper.make_tensor_value_info(*end) for end in ends] for ends in (inputs, outputs))
    graph = helper.make_graph(
        nodes, "graph", given, results, [numpy_helper.from_array(np.ones(1, np.float32), "one")]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def cast(type: int, source: str = "pixels") -> list[NodeProto]:
    return [helper.make_node("Cast", [source], [name], to=type) for name in ("features", "hq")]


def write_export(
    folder: Path, encoder: list[NodeProto], inputs: Ends | None = None, outputs: Ends | None = None
) -> Path:
    write_graph(folder / ENCODER, encoder, inputs or [PIXELS, PLACE], outputs or EMBEDDING)
    answers = [helper.make_node("Identity", ["previous"], [name]) for name, *_ in ANSWERS]
    write_graph(folder / DECODER, answers, [*EMBEDDING, PLACE, *PROMPTS], ANSWERS)
    ExportCard("small", "0" * 64, "vit_tiny").write(folder)
    return folder


@pytest.mark.parametrize("type", [TensorProto.STRING, TensorProto.BOOL, TensorProto.INT64, TensorProto.FLOAT16])
def test_outputs_of_another_type_are_refused_when_opened(type: int, tmp_path: Path) -> None:
    write_export(tmp_path, cast(type), [ANY_PIXELS, PLACE], outputs=[("features", type, None), ("hq", type, None)])
    with pytest.raises(CheckpointError, match=r"encoder\.onnx: it gives (features|hq) as tensor.*export it again"):
        OnnxNetwork(tmp_path)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([("pixels", FLOAT, ["b", 3, "h"]), PLACE], "takes pixels of the shape"),
        ([("pixels", FLOAT, ["b", 4, "h", "w"]), PLACE], "takes pixels of the shape"),
        ([("pixels", TensorProto.DOUBLE, ["b", 3, "h", "w"]), PLACE], r"takes pixels as tensor\(double\)"),
        ([PIXELS], "takes no place"),
        ([PIXELS, PLACE, ("more", FLOAT, None)], "takes more"),
    ],
)
def test_other_inputs_are_refused_when_opened(inputs: Ends, reason: str, tmp_path: Path) -> None:
    write_export(tmp_path, cast(FLOAT), inputs)
    with pytest.raises(CheckpointError, match=rf"encoder\.onnx: it {reason}.*export it again"):
        OnnxNetwork(tmp_path)


def test_an_embedding_of_another_shape_is_refused(tmp_path: Path) -> None:
    opened = OnnxNetwork(write_export(tmp_path, cast(FLOAT), [ANY_PIXELS, PLACE]))
    frame = Frame(64, 128, 0.5, 2, 4)
    pixels = frame.pixels(np.zeros((64, 128), np.uint8))
    with pytest.raises(CheckpointError, match=r"encoder\.onnx: gives embeddings of another shape; export it again"):
        opened.encode(pixels, frame)


def test_other_files_in_the_folder_do_not_raise_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[int] = []
    monkeypatch.setattr(network, "share_bounded_memory", lambda options, bound: bounds.append(bound))
    write_export(tmp_path, cast(FLOAT), [ANY_PIXELS, PLACE])
    with (tmp_path / "notes.bin").open("wb") as notes:
        notes.truncate(1 << 40)
    OnnxNetwork(tmp_path)
    assert bounds == [BASE_BYTES + 8 * session_memory.BYTES_PER_BYTE] * 2


def test_a_graph_that_computes_without_an_end_is_stopped(tmp_path: Path) -> None:
    """A thousand products of a square of ones: a file of some kB that holds no weights."""
    side, path = 1000, tmp_path / ENCODER
    chain = [helper.make_node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(1000)]
    write_graph(
        path,
        [helper.make_node("Expand", ["one", "n"], ["m0"]), *chain],
        [("n", WHOLE, [2])],
        [("m1000", FLOAT, None)],
    )
    session = network._session(path, BASE_BYTES)
    with pytest.raises(CheckpointError, match=r"cannot be computed \(not done after 0 minutes\); export it again"):
        network._computed(session, ("m1000",), {"n": np.array([side, side])}, path, 0.1)
