"""Encoding a panoramic twice as wide as high: on its own token grid, in bf16, on the padded square, by transformers.

Ours includes the HQ features, which the decoder of transformers makes again in every call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from dentasam.model.core.precision import autocast_type

from . import scene
from .measuring import Measured, Side, Work
from .options import Options
from .peers import transformers_sam_hq
from .report import Report

ROUNDS = 7
BUNDLED = "dentasam-tiny"
OWN, BF16 = "own grid, 32 x 64 tokens", "own grid in bf16"


def ours(device: torch.device, model: str, square: bool) -> Work:
    """Our encoder on the own grid or on the padded square."""
    network = scene.network(model, device)
    frame = scene.squared(scene.OWN) if square else scene.OWN
    image = scene.pixels(frame, device)
    found: list[Any] = []

    @torch.inference_mode()
    def run() -> None:
        found[:] = [network.encode(image, frame)]

    return Work(
        run,
        bytes=scene.weight_bytes(network.get_submodule("image_encoder")) + scene.tensor_bytes(image),
        answer=lambda: {"features": found[0].features.float().cpu().numpy()},
    )


def theirs(device: torch.device, model: str) -> Work:
    """transformers on the padded square."""
    network = scene.network(model, device)
    peer = transformers_sam_hq.build(network)
    image = scene.pixels(scene.squared(scene.OWN), device)
    found: list[Any] = []

    @torch.inference_mode()
    def run() -> None:
        found[:] = [peer.get_image_embeddings(image)]

    return Work(
        run,
        bytes=scene.weight_bytes(peer.vision_encoder) + scene.tensor_bytes(image),
        answer=lambda: {"features": found[0][0].float().cpu().numpy()},
    )


def run(options: Options) -> Report:
    """The whole benchmark."""
    model = options.model or (scene.SMALL if options.quick else scene.DEFAULT)
    report = options.report("Encoding one image", image="512 x 1024", model=model)
    sides = [
        Side(OWN, "encode:ours", {"model": model, "square": False}),
        Side("padded square, 64 x 64 tokens", "encode:ours", {"model": model, "square": True}),
        Side("transformers, padded square", "encode:theirs", {"model": model}),
    ]
    own, square, peer, *rounded = _measure(options, report, sides, model)
    report.ratio("encode_vs_padded", own, square)
    report.ratio("encode_vs_transformers", own, peer)
    report.ratio("encode_square_vs_transformers", square, peer)
    report.ratio("encode_memory_vs_transformers", own, peer, "added_bytes")
    for side in rounded:
        report.ratio("encode_bf16_vs_fp32", side, own)
    report.agreement("features, ours and transformers' on the square, largest difference", square, peer, "features")
    if model != BUNDLED and not options.quick:
        sides = [
            Side(OWN, "encode:ours", {"model": BUNDLED, "square": False}),
            Side("padded square", "encode:ours", {"model": BUNDLED, "square": True}),
        ]
        own, square, *rounded = _measure(options, report, sides, BUNDLED)
        report.ratio("encode_bundled_vs_padded", own, square)
        for side in rounded:
            report.ratio("encode_bundled_bf16_vs_fp32", side, own)
    return report


def _measure(options: Options, report: Report, sides: list[Side], group: str) -> Iterable[Measured]:
    """The sides, and after them the first in bf16 where the device is fast at it and the others are in fp32."""
    if options.precision == "fp32" and autocast_type("auto", options.on()) is not None:
        sides = [*sides, replace(sides[0], name=BF16, precision="bf16")]
    elif options.precision == "fp32":
        report.remarks.append(f"{BF16}: not measured (this device is not fast at it)")
    measured = options.measure(sides, ROUNDS)
    report.add(measured, group)
    return measured.values()
