"""What a graph may hold to be opened: nothing that our exports never hold, and no more numbers than its file has.

A graph is a program. A few bytes may ask for tensors of any size, or for a loop without an end, and ONNX Runtime
computes constants already when it opens a file. So operations that no export writes are refused, and
`session_memory` bounds what the others take.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import CheckpointError
from dentasam.files.regular_file import check_regular
from dentasam.model.onnx.weights import (
    MAX_GRAPH_BYTES,
    NotFiniteError,
    bytes_of_weights,
    check_sizes_beside,
    is_beside,
    too_large,
)

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
# Pixels along a side of a convolution; the largest cuts patches of 16.
MAX_KERNEL = 64
EXPORT_AGAIN = "export it again"


def check_graph(path: Path) -> int:
    """The bytes of a graph's weights, as `bytes_of_weights` counts them.

    Raises CheckpointError where the graph cannot be read, or holds what no export holds, or weights not finite.
    """
    import onnx

    refused, held = None, 0
    try:
        check_regular(path)
        if path.stat().st_size > MAX_GRAPH_BYTES:
            raise ValueError(too_large(path.stat().st_size, MAX_GRAPH_BYTES))
        model = onnx.load(path, load_external_data=False)
        check_sizes_beside(list(_tensors(model)), path.parent)
        refused = _strange_part(model)
        if refused is None:
            held = bytes_of_weights(list(model.graph.initializer), path.parent)
    except NotFiniteError as error:
        name = cut(printable(str(error)), 80)
        again = "export another checkpoint of the run"
        raise CheckpointError(f"{path}: {name} holds NaN or infinite numbers; {again}") from None
    # A bent file makes onnx, protobuf and numpy raise almost any exception.
    except Exception as error:
        reason = first_line(error)
        raise CheckpointError(f"{path}: its weights cannot be read ({reason}); {EXPORT_AGAIN}") from error
    if refused is not None:
        raise CheckpointError(f"{path}: {refused}, which no export has; export it again with dentasam")
    return held


def _strange_part(model: Any) -> str | None:
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
    sizes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    if not all(_has_small_kernel(node, sizes) for node in model.graph.node):
        return f"it has a convolution of more than {MAX_KERNEL} pixels"
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "GatherND" and not _counts_its_places(node, makers, constants):
            return "it has a GatherND whose places have no size"
    for tensor in _tensors(model):
        numbers = 1
        for side in tensor.dims:
            numbers *= int(side)
        # Those of files beside the graph are compared with the files.
        room = numbers if is_beside(tensor) else NUMBERS_OF_BYTE * int(tensor.ByteSize())
        if min(tensor.dims, default=1) < 0 or numbers > room:
            return f"its weight {cut(printable(tensor.name), 80)} states more numbers than the file has"
    return None


def _has_small_kernel(node: Any, sizes: dict[str, tuple[int, ...]]) -> bool:
    """Whether a convolution ends soon: a single one with a kernel as large as an image could take days."""
    if not node.op_type.startswith("Conv"):
        return True
    sides = next((tuple(given.ints) for given in node.attribute if given.name == "kernel_shape"), None)
    if sides is None:
        weight = sizes.get(node.input[1]) if len(node.input) > 1 else None
        sides = None if weight is None else weight[2:]
    return sides is not None and max(sides, default=1) <= MAX_KERNEL


def _counts_its_places(node: Any, makers: dict[str, Any], constants: dict[str, Any]) -> bool:
    """Whether each place that a GatherND reads has numbers, and so bounded memory.

    ONNX Runtime keeps an offset for each place, outside the bounded memory, even where places of no numbers have the
    shape (10^10, 0). An export gives each a last side of its own, by Unsqueeze and Concat.
    """
    if len(node.input) < 2:
        return False
    place = node.input[1]
    if place in constants:
        return min(constants[place].dims, default=0) > 0
    maker = makers.get(place)
    if maker is None:
        return False
    parts = list(maker.input) if maker.op_type == "Concat" and _whole(maker, "axis") == -1 else [place]
    return bool(parts) and all(_ends_with_one(makers.get(part), constants) for part in parts)


def _ends_with_one(maker: Any, constants: dict[str, Any]) -> bool:
    """Whether a node gives a tensor a last side of 1."""
    if maker is None or maker.op_type != "Unsqueeze" or len(maker.input) != 2 or maker.input[1] not in constants:
        return False
    from onnx.numpy_helper import to_array

    axes = constants[maker.input[1]]
    return not is_beside(axes) and list(axes.dims) == [1] and int(to_array(axes)[0]) == -1


def _whole(node: Any, name: str) -> int | None:
    return next((int(given.i) for given in node.attribute if given.name == name), None)


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for given in node.attribute:
            if given.HasField("t"):
                yield given.t
            yield from given.tensors


def first_line(error: Exception) -> str:
    """The first line of an error of another library, short enough to print."""
    reason = (str(error).strip() or type(error).__name__).split("\n")[0]
    return cut(printable(reason), MAX_REASON)
