"""Decoding: one object with its previous mask, 32 objects with a click each, and what each trick of ours gives alone.

The image is a panoramic twice as wide as high. Ours decodes it on its own grid, transformers on the padded square,
which is all it takes; a row with ours on the square tells how much of the ratio is the grid's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import EncoderOutput
from dentasam.model.segmenter import DECODE_BYTES

from . import scene, tricks
from .measuring import Measured, Side, Work
from .options import Options
from .peers import published_decoder, transformers_sam_hq
from .report import Report

ROUNDS_ONE, ROUNDS_MANY = 9, 5
MANY = 32
PARTS = ("prompt_encoder", "mask_decoder")


def ours(
    device: torch.device,
    model: str,
    objects: int,
    previous: bool,
    square: bool = False,
    sparse_upscaling: bool = True,
    chunks: bool = True,
    one_by_one: bool = False,
    features_again: bool = False,
    projections_again: bool = False,
    without: str | None = None,
) -> Work:
    """Our decoder as `Segmenter` uses it; each of the further options takes one thing away."""
    network, output, frame, prompts = scene.decoding(device, model, objects, previous, square)
    if without is not None:
        tricks.take_out(without, network)
    budget = DECODE_BYTES if chunks and device.type == "cpu" else None
    each = [torch.tensor([index], device=device) for index in range(objects)]
    calls = [prompts[index] for index in each] if one_by_one else [prompts]
    with torch.inference_mode():
        embedding = network.prepare(output, frame)
        if not projections_again:
            embedding = network.with_projections(embedding)
    found: list[Tensor] = []

    @torch.inference_mode()
    def run() -> None:
        image = replace(network.prepare(output, frame), shared=embedding.shared) if features_again else embedding
        found[:] = [
            network.decode(image, call, sparse_upscaling=sparse_upscaling, budget=budget).logits for call in calls
        ]

    return work(network, output, prompts, found, run)


def published(device: torch.device, model: str, objects: int, previous: bool) -> Work:
    """The decoder as it was published, on the own grid, with nothing of ours."""
    network, output, frame, prompts = scene.decoding(device, model, objects, previous, False)
    found: list[Tensor] = []

    @torch.inference_mode()
    def run() -> None:
        found[:] = [published_decoder.decode(network, output, frame, prompts).logits]

    return work(network, output, prompts, found, run)


def theirs(device: torch.device, model: str, objects: int, previous: bool) -> Work:
    """transformers on the padded square, all objects in one call."""
    network, output, _, prompts = scene.decoding(device, model, objects, previous, True)
    peer = transformers_sam_hq.build(network)
    intermediate = [output.intermediate.permute(0, 2, 3, 1).contiguous()]
    found: list[Tensor] = []

    @torch.inference_mode()
    def run() -> None:
        found[:] = [
            peer(
                image_embeddings=output.features,
                intermediate_embeddings=intermediate,
                input_points=prompts.points[None],
                input_labels=prompts.labels[None],
                input_masks=None if prompts.logits is None else prompts.logits[None],
                multimask_output=False,
            ).pred_masks[0, :, 0]
        ]

    return work(peer, output, prompts, found, run)


def work(
    network: Any, output: EncoderOutput, prompts: Prompts, found: list[Tensor], run: Callable[[], object]
) -> Work:
    """A side from its run; the masks it found last are its answer."""
    rows, cols = (LOGIT_STRIDE * length for length in output.features.shape[-2:])
    moved = sum(scene.weight_bytes(getattr(network, part)) for part in PARTS)
    moved += scene.tensor_bytes(output.features, prompts.logits) + 4 * len(prompts) * rows * cols
    return Work(run, bytes=moved, answer=lambda: {"logits": torch.cat(found).float().cpu().numpy()})


def run(options: Options) -> Report:
    """The whole benchmark."""
    model = options.model or (scene.SMALL if options.quick else scene.DEFAULT)
    many = 4 if options.quick else MANY
    report = options.report(
        "Decoding", image="512 x 1024", model=model, objects=f"1 with its previous mask; {many} with a click each"
    )
    one = {"model": model, "objects": 1, "previous": True}
    own, square, peer = compared(options, report, one, "one object with its previous mask", ROUNDS_ONE)
    report.ratio("decode1_vs_transformers", own, peer)
    report.ratio("decode1_square_vs_transformers", square, peer)
    all_ = {"model": model, "objects": many, "previous": False}
    own, square, peer = compared(options, report, all_, f"{many} objects, a click each", ROUNDS_MANY)
    report.ratio("decode32_vs_transformers", own, peer)
    report.ratio("decode32_square_vs_transformers", square, peer)
    report.ratio("decode32_memory_vs_transformers", own, peer, "added_bytes")
    report.ratio("decode32_process_memory_vs_transformers", own, peer, "peak_bytes")
    alone(options, report, {"model": model, "objects": many, "previous": True})
    return report


def compared(
    options: Options, report: Report, arguments: dict[str, Any], group: str, rounds: int
) -> tuple[Measured, Measured, Measured]:
    """Ours on its own grid and on the square, and transformers."""
    sides = [
        Side("own grid, 32 x 64 tokens", "decode:ours", arguments),
        Side("padded square, 64 x 64 tokens", "decode:ours", {**arguments, "square": True}),
        Side("transformers, padded square", "decode:theirs", arguments),
    ]
    measured = options.measure(sides, rounds)
    own, square, peer = measured.values()
    report.add(measured, group)
    report.masks_agree(f"ours on the square and transformers, {group}", square, peer)
    return own, square, peer


def alone(options: Options, report: Report, arguments: dict[str, Any]) -> None:
    """Everything together, each trick taken out on its own, and none at all."""
    fewer: dict[str, tuple[str, dict[str, Any]]] = {
        name: (f"without {trick.label}", {"without": name}) for name, trick in tricks.TRICKS.items()
    }
    fewer |= {
        "sparse_upscaling": ("without sparse upscaling: masks on the whole grid", {"sparse_upscaling": False}),
        "chunks": ("without chunks: all objects at a time", {"chunks": False}),
        "one_call": ("without one call for all: one for each object", {"one_by_one": True}),
        "projections_once": ("without the first block's projections made once", {"projections_again": True}),
        "features_once": ("without HQ features made once", {"features_again": True}),
        "own_grid": ("without the own grid: on the padded square", {"square": True}),
    }
    everything = Side("everything", "decode:ours", arguments)
    others = {name: Side(label, "decode:ours", {**arguments, **given}) for name, (label, given) in fewer.items()}
    others["all"] = Side("the published decoder, own grid", "decode:published", arguments)
    group = f"{arguments['objects']} objects with their previous masks, tricks taken out one by one"
    # in pairs, so that there is memory for both
    pairs = {name: options.measure([everything, other], ROUNDS_MANY) for name, other in others.items()}
    for index, (name, measured) in enumerate(pairs.items()):
        own, other = measured.values()
        report.add(measured if index == 0 else {other.name: other}, group)
        report.ratio(f"decode_gain_of_{name}", own, other)
    own, published_ = pairs["all"].values()
    report.masks_agree("ours and the published decoder", own, published_)
    _, whole = pairs["sparse_upscaling"].values()
    report.agreement(
        "logits without sparse upscaling and of the published decoder, largest difference",
        whole,
        published_,
        "logits",
    )
