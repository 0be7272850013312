"""Checkpoints, adapters, chart heads, embeddings, exported models and training states."""

import copy
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file
from torch import Tensor

from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.model.adapters.folder import BUNDLED
from dentasam.model.adapters.segmenter_adapters import MergedAdapter
from dentasam.model.checkpoints.loading import ModelInfo, load_model
from dentasam.model.checkpoints.registry import locate
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import EncoderOutput, ImageEmbedding
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.onnx.export import DECODER, ENCODER, ExportCard
from dentasam.model.sam_hq import SamHQ
from dentasam.model.segmenter import Segmenter
from dentasam.training.run.saved.run_state import RunProgress, save_state
from dentasam.training.samples.embedding_cache import EmbeddingCache

ADAPTER = BUNDLED / "panoramic-teeth"
PICTURE, MODEL, BASE = "a" * 64, "model", "0" * 64


@cache
def bundled_model() -> tuple[SamHQ, ModelInfo]:
    """Loaded once, before the cases are forked from this process."""
    return load_model("dentasam-tiny")


@cache
def small_segmenter() -> Segmenter:
    """A segmenter with random weights that computes in milliseconds what the bundled one takes a second for."""
    torch.manual_seed(7)
    network = SamHQ(ImageEncoderViT(32, 2, 2, (1,)), 32).eval().requires_grad_(False)
    info = ModelInfo("small", "vit", BASE, Path("small.safetensors"))
    return Segmenter(network, info, MergedAdapter(None, "small: has no adapters", None), precision="fp32")


def build_safetensors(folder: Path) -> None:
    _, path = locate("dentasam-tiny")
    assert path is not None
    shutil.copy(path, folder / "model.safetensors")


def build_pth(folder: Path) -> None:
    _, path = locate("dentasam-tiny")
    assert path is not None
    torch.save(load_file(path), folder / "model.pth")


def build_adapter(folder: Path) -> None:
    shutil.copytree(ADAPTER, folder / "adapter", ignore=shutil.ignore_patterns("chart.*"))


def build_chart_head(folder: Path) -> None:
    (folder / "head").mkdir()
    for name in ("chart.json", "chart.safetensors"):
        shutil.copy(ADAPTER / name, folder / "head" / name)


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def build_embedding(folder: Path) -> None:
    """One of the labelling tool's and one of the training's store."""
    frame = Frame(64, 128, 0.5, 2, 4)
    embedding = ImageEmbedding(_random(1, 256, 2, 4), _random(1, 32, 8, 16), frame)
    EmbeddingStore(folder / "store").put(PICTURE, MODEL, embedding)
    output = EncoderOutput(_random(1, 256, 2, 4), _random(1, 32, 2, 4))
    cache = EmbeddingCache(folder / "cache", BASE)
    cache.store(cache.key(PICTURE), output)


def _graph(inputs: list[str], outputs: list[str]) -> bytes:
    """A graph of the exported names that computes something of its own."""
    types = {"has_previous": TensorProto.BOOL} | dict.fromkeys(["place", "image", "labels"], TensorProto.INT64)
    values, results = (
        [helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), None) for name in names]
        for names in (inputs, outputs)
    )
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [8], np.linspace(0, 1, 8).astype(np.float32).tolist())
    nodes = [helper.make_node("Add", [inputs[0], "weight"], [name]) for name in outputs]
    graph = helper.make_graph(nodes, "graph", values, results, [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString(deterministic=True))


def build_onnx(folder: Path) -> None:
    out = folder / "exported"
    out.mkdir()
    (out / ENCODER).write_bytes(_graph(["pixels", "place"], ["features", "hq"]))
    decoder = ["features", "hq", "place", "image", "points", "labels", "previous", "has_previous"]
    (out / DECODER).write_bytes(_graph(decoder, ["logits", "scores", "choices", "choice_scores"]))
    ExportCard("small", BASE, "vit_tiny", None, dentasam="0").write(out)


def training_parts() -> tuple[dict[str, Tensor], torch.optim.Optimizer]:
    """What a state is read into."""
    weights = {"lora.weight": _random(8, 16), "lora.bias": _random(8)}
    parameters = [tensor.clone().requires_grad_() for tensor in weights.values()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    return copy.deepcopy(weights), optimiser


def build_training_state(folder: Path) -> None:
    weights, optimiser = training_parts()
    save_state(folder, RunProgress(5, 1.5, 0.5, 3, dice_at_clicks=[0.1, 0.5]), weights, optimiser, BASE)
