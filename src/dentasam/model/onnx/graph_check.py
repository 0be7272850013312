"""What a graph may hold to be opened: nothing that our exports never hold, and no more numbers than its file has.

A graph is a program. A few bytes may ask for tensors of any size, or for a loop without an end, and ONNX Runtime
computes constants already when it opens a file. So operations that no export writes are refused, and
`session_memory` bounds what the others take.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import CheckpointError
from dentasam.files.regular_file import check_regular

# Of exports and int8 encoders of every kind, and what other versions of the exporter write for the same layers.
OPERATIONS = frozenset((
    "Add", "And", "Cast", "CastLike", "Ceil", "Clip", "Col2Im", "Concat", "Constant", "ConstantOfShape", "Conv",
    "ConvInteger", "ConvTranspose", "Cos", "DequantizeLinear", "Div", "DynamicQuantizeLinear", "Einsum",
    "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm",
    "Greater", "GreaterOrEqual", "Identity", "LayerNormalization", "Less", "LessOrEqual", "MatMul",
    "MatMulInteger", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pad", "Pow", "QuantizeLinear", "Range",
    "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape",
    "ScatterElements", "ScatterND", "Shape", "Sigmoid", "Sin", "Size", "Slice", "Softmax", "Split", "Sqrt",
    "Squeeze", "Sub", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where",
))  # fmt: skip
DEFAULT_DOMAINS = ("", "ai.onnx")
# The largest encoder has a few thousand.
MAX_NODES = 50_000
# The narrowest numbers are two in a byte.
NUMBERS_OF_BYTE = 2
EXPORT_AGAIN = "export it again"


def check_graph(path: Path) -> None:
    """Raises CheckpointError where a graph cannot be read, or holds what no export holds, or weights not finite."""
    import onnx

    try:
        check_regular(path)
        model = onnx.load(path, load_external_data=False)
        refused = _strange_part(model, path)
        broken = None if refused else _not_finite(model, path)
    # A bent file makes onnx, protobuf and numpy raise almost any exception.
    except Exception as error:
        reason = first_line(error)
        raise CheckpointError(f"{path}: its weights cannot be read ({reason}); {EXPORT_AGAIN}") from error
    if refused is not None:
        raise CheckpointError(f"{path}: {refused}, which no export has; export it again with dentasam")
    if broken is not None:
        name = cut(printable(broken), 80)
        raise CheckpointError(f"{path}: {name} holds NaN or infinite numbers; export another checkpoint of the run")


def _strange_part(model: Any, path: Path) -> str | None:
    """What a graph holds that no export does, in words; None for an honest graph."""
    if len(model.functions):
        return "it defines functions"
    if len(model.graph.node) > MAX_NODES:
        return f"it has over {MAX_NODES:,} operations"
    if len(model.graph.sparse_initializer):
        return "it has sparse weights"
    for node in model.graph.node:
        if node.op_type not in OPERATIONS or node.domain not in DEFAULT_DOMAINS:
            domain = f"{node.domain}." if node.domain else ""
            return f"it has the operation {cut(printable(domain + node.op_type), 80)}"
        for given in node.attribute:
            if given.HasField("g") or len(given.graphs):
                return f"its operation {node.op_type} holds a graph of its own"
            if given.HasField("sparse_tensor") or len(given.sparse_tensors):
                return f"its operation {node.op_type} holds sparse numbers"
    for tensor in _tensors(model):
        numbers = 1
        for side in tensor.dims:
            numbers *= int(side)
        if min(tensor.dims, default=1) < 0 or numbers > NUMBERS_OF_BYTE * _bytes_held(tensor, path):
            return f"its weight {cut(printable(tensor.name), 80)} states more numbers than the file has"
    return None


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for given in node.attribute:
            if given.HasField("t"):
                yield given.t
            yield from given.tensors


def _bytes_held(tensor: Any, path: Path) -> int:
    """Bytes of a tensor, in the graph or in the file beside it that it names."""
    for entry in tensor.external_data:
        # Another folder's file is refused when the weights are read.
        if entry.key == "location" and Path(entry.value).name == entry.value:
            beside = path.parent / entry.value
            check_regular(beside)
            return beside.stat().st_size
    return int(tensor.ByteSize())


def _not_finite(model: Any, path: Path) -> str | None:
    """The name of a weight that holds a NaN or an infinity; weights in external files are read one by one."""
    from onnx.numpy_helper import to_array

    arrays = ((weight.name, to_array(weight, str(path.parent))) for weight in model.graph.initializer)
    floats = ((name, array) for name, array in arrays if array.dtype.kind == "f")
    return next((str(name) for name, array in floats if not np.isfinite(array).all()), None)


def first_line(error: Exception) -> str:
    """The first line of an error of another library, short enough to print."""
    reason = (str(error).strip() or type(error).__name__).split("\n")[0]
    return cut(printable(reason), MAX_REASON)
