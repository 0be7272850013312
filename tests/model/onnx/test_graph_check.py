"""Graphs that ask for more memory than an export does are refused, before and while they are computed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from dentasam.errors import CheckpointError
from dentasam.model.onnx import graph_check, weights
from dentasam.model.onnx.graph_check import check_graph
from dentasam.model.onnx.session_memory import BASE_BYTES, BYTES_PER_BYTE, bound_for

ONES = numpy_helper.from_array(np.ones(4, np.float32), "ones")


def model(*nodes: NodeProto, weights: tuple[TensorProto, ...] = (ONES,)) -> ModelProto:
    given, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    graph = helper.make_graph(nodes, "graph", [given], [result], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def added() -> NodeProto:
    return helper.make_node("Add", ["x", "ones"], ["y"])


def stating(*dims: int) -> TensorProto:
    tensor = TensorProto(name="huge", data_type=TensorProto.FLOAT, raw_data=b"\0" * 16)
    tensor.dims.extend(dims)
    return tensor


def with_functions() -> ModelProto:
    bent = model(added())
    imports = [helper.make_opsetid("", 18)]
    bent.functions.append(helper.make_function("own", "Own", ["a"], ["b"], [added()], imports))
    return bent


def with_sparse_weights() -> ModelProto:
    bent = model(added())
    values, places = numpy_helper.from_array(np.ones(1, np.float32), "s"), numpy_helper.from_array(np.zeros(1, int))
    bent.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))
    return bent


def loop() -> NodeProto:
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "body", [], [])
    return helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body)


def in_a_known_operation() -> NodeProto:
    node = loop()
    node.op_type = "Identity"
    return node


ATTACKS = {
    "an operation with a graph": (model(loop()), "the operation If"),
    "a graph in a known operation": (model(in_a_known_operation()), "Identity holds a graph of its own"),
    "another operation": (model(helper.make_node("RandomNormal", [], ["y"], shape=[1 << 40])), "RandomNormal"),
    "another domain": (
        model(helper.make_node("Add", ["x", "x"], ["y"], domain="com.microsoft")),
        "com.microsoft.Add",
    ),
    "functions": (with_functions(), "functions"),
    "sparse weights": (with_sparse_weights(), "sparse weights"),
    "a weight without its numbers": (model(added(), weights=(ONES, stating(1 << 20, 1 << 20))), "weight huge states"),
    "a weight of negative size": (model(added(), weights=(ONES, stating(-4))), "weight huge states"),
    "a constant without its numbers": (
        model(helper.make_node("Constant", [], ["c"], value=stating(1 << 40)), added()),
        "weight huge states",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_no_export_has_is_refused_before_it_is_opened(attack: str, tmp_path: Path) -> None:
    bent, reason = ATTACKS[attack]
    path = tmp_path / "encoder.onnx"
    path.write_bytes(bent.SerializeToString())
    with pytest.raises(CheckpointError, match=rf"encoder\.onnx: .*{reason}.*export it again"):
        check_graph(path)


def test_a_plain_graph_passes_unless_it_has_too_many_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(model(added(), helper.make_node("Neg", ["y"], ["z"])).SerializeToString())
    check_graph(path)
    monkeypatch.setattr(graph_check, "MAX_NODES", 1)
    with pytest.raises(CheckpointError, match="over 1 operations"):
        check_graph(path)


def test_weights_in_a_file_beside_are_bounded_by_that_file(tmp_path: Path) -> None:
    tensor = TensorProto(name="huge", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend([3, 7])
    tensor.external_data.add(key="location", value="weights.bin")
    path, weights = tmp_path / "encoder.onnx", tmp_path / "weights.bin"
    path.write_bytes(model(added(), weights=(ONES, tensor)).SerializeToString())
    weights.write_bytes(bytes(3 * 7 * 4))
    check_graph(path)
    weights.write_bytes(bytes(4))
    with pytest.raises(CheckpointError, match=r"weights\.bin holds fewer numbers"):
        check_graph(path)


def beside(numbers: int, name: str = "huge", location: str = "weights.bin", **more: int) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.append(numbers)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ((beside(5, location="../weights.bin"),), "another folder"),
        ((beside(5, location="/etc/hosts"),), "another folder"),
        ((beside(5, location=""),), "another folder"),
        ((beside(5, offset=-4),), "bytes -4"),
        ((beside(5, offset=44),), "ends before its numbers"),
        ((beside(5, offset=1 << 40),), "ends before its numbers"),
        ((beside(5, length=1 << 60),), "bytes 0 and"),
        ((beside(10), beside(10, "again")), "holds fewer numbers"),
        ((beside(1 << 60),), "holds fewer numbers"),
    ],
)
def test_bent_places_of_weights_in_a_file_beside_are_refused(
    weights: tuple[TensorProto, ...], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(60))
    path = tmp_path / "encoder.onnx"
    path.write_bytes(model(added(), weights=(ONES, *weights)).SerializeToString())
    with pytest.raises(
        CheckpointError, match=rf"encoder\.onnx: its weights cannot be read.*{reason}.*export it again"
    ):
        check_graph(path)


def test_a_sparse_file_beside_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(model(added(), weights=(ONES, beside(1 << 30))).SerializeToString())
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(CheckpointError, match=r"4\.3 GB are more than the 3\.2 of the largest export"):
        check_graph(path)
    with path.open("r+b") as file:
        file.truncate(1 << 42)
    with pytest.raises(CheckpointError, match=r"4,398\.0 GB are more than the 2\.1"):
        check_graph(path)


def test_weights_are_looked_through_in_strips_and_zeros_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "STRIP_BYTES", 64)
    path, file, numbers = tmp_path / "encoder.onnx", tmp_path / "weights.bin", np.zeros(100, np.float32)
    path.write_bytes(model(added(), weights=(ONES, beside(99, offset=4))).SerializeToString())
    numbers[50] = 1.0
    file.write_bytes(numbers.tobytes())
    # The four ones in the graph, and one of seven strips.
    assert check_graph(path) == 16 + 64
    numbers[99] = np.inf
    file.write_bytes(numbers.tobytes())
    with pytest.raises(CheckpointError, match="huge holds NaN or infinite numbers"):
        check_graph(path)


def gathered(*nodes: NodeProto, places: str = "i") -> tuple[NodeProto, ...]:
    return (*nodes, helper.make_node("GatherND", ["ones", places], ["z"]), added())


LAST = numpy_helper.from_array(np.array([-1]), "last")
FIRST = numpy_helper.from_array(np.array([0]), "first")


@pytest.mark.parametrize(
    ("nodes", "passes"),
    [
        (gathered(helper.make_node("Unsqueeze", ["j", "last"], ["i"])), True),
        (
            gathered(
                helper.make_node("Unsqueeze", ["j", "last"], ["k"]),
                helper.make_node("Concat", ["k", "k"], ["i"], axis=-1),
            ),
            True,
        ),
        (gathered(places="j"), True),
        (gathered(places="x"), False),
        (gathered(places="empty"), False),
        (gathered(helper.make_node("ConstantOfShape", ["j"], ["i"])), False),
        (gathered(helper.make_node("Unsqueeze", ["j", "first"], ["i"])), False),
        (gathered(helper.make_node("Concat", ["x", "x"], ["i"], axis=-1)), False),
    ],
)
def test_the_places_that_are_gathered_have_a_size(nodes: tuple[NodeProto, ...], passes: bool, tmp_path: Path) -> None:
    """Places of no numbers, such as (10^10, 0), take no memory that is bounded, and an offset each."""
    path = tmp_path / "encoder.onnx"
    constants = (
        numpy_helper.from_array(np.array([0, 3]), "j"),
        numpy_helper.from_array(np.zeros((9, 0), int), "empty"),
    )
    path.write_bytes(model(*nodes, weights=(ONES, LAST, FIRST, *constants)).SerializeToString())
    if passes:
        check_graph(path)
        return
    with pytest.raises(CheckpointError, match="a GatherND whose places have no size"):
        check_graph(path)


@pytest.mark.parametrize(
    ("given", "passes"), [({}, False), ({"kernel_shape": [16, 16]}, True), ({"kernel_shape": [1, 65]}, False)]
)
def test_a_convolution_has_a_small_kernel(given: dict[str, Any], passes: bool, tmp_path: Path) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(model(helper.make_node("Conv", ["x", "x"], ["y"], **given)).SerializeToString())
    if passes:
        check_graph(path)
        return
    with pytest.raises(CheckpointError, match="a convolution of more than 64 pixels"):
        check_graph(path)


# A bound is for all sessions of a process, so each case has a process of its own.
COMPUTED = """
import sys
from pathlib import Path
import numpy as np
from dentasam.errors import CheckpointError
from dentasam.model.onnx.network import _computed, _session
path = Path(sys.argv[1])
try:
    session = _session(path, 100 << 20)
    print(_computed(session, ("y",), {"x": np.ones(3, np.float32)}, path, 60.0)[0].sum())
except CheckpointError as error:
    print(error)
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the peak of a process")
@pytest.mark.parametrize("constant", [True, False])
def test_tensors_beyond_the_bound_are_refused(constant: bool, tmp_path: Path) -> None:
    """Two vectors added to a square of 400 MB, whose sizes nothing in the file states."""
    path, side = tmp_path / "encoder.onnx", 10_000
    vectors = tuple(
        numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in (("a", (side, 1)), ("b", (1, side)))
    )
    first = [] if constant else [helper.make_node("Mul", ["b", "x1"], ["b1"])]
    one = [] if constant else [helper.make_node("ReduceMax", ["x"], ["x1"], keepdims=0)]
    square = helper.make_node("Add", ["a", "b" if constant else "b1"], ["c"])
    smaller = helper.make_node("ReduceMax", ["c"], ["d"], keepdims=0)
    nodes = [*one, *first, square, smaller, helper.make_node("Add", ["x", "d"], ["y"])]
    onnx.save(model(*nodes, weights=vectors), path)
    check_graph(path)
    ran = subprocess.run(
        [sys.executable, "-c", COMPUTED, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    message, peak = ran.stdout.splitlines()
    assert message.startswith(f"{path}: cannot be computed (")
    assert message.endswith("export it again")
    assert ran.stderr == ""
    assert int(peak) < 400


def test_a_larger_model_may_take_more() -> None:
    assert bound_for(1000) == BASE_BYTES + BYTES_PER_BYTE * 1000
