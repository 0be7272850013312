"""One training step beside the ways others take it, and an epoch with and without the cache of a frozen encoder.

LoRA on encoder and decoder, 11 iterations an object after SAM's schedule. A step here ends with the gradient; the
optimiser's share is the same for all sides. The peers are run with few objects, or on a window of the image, because
all would not fit the memory of a small machine or take too long: ours gets as few in the ratios, and 32 on the whole
image in a row of its own.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dentasam.model.adapters.lora import LoraSettings, Scope, add_lora
from dentasam.model.adapters.trainable import freeze_statistics, trainable_parameters
from dentasam.model.core.frame import Frame
from dentasam.model.sam_hq import SamHQ
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.prompts.tensor_correction_clicks import correction_clicks
from dentasam.training.recipe.recipe_file import load_recipe
from dentasam.training.run.optimiser import build_optimiser
from dentasam.training.samples.embedding_cache import EmbeddingCache
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.sample import Sample
from dentasam.training.step import click_through
from dentasam.training.step.loss import MaskLoss
from dentasam.training.step.step_settings import StepSettings
from dentasam.training.step.training_step import StepReport, train_step

from . import scene
from .measuring import Side, Work
from .options import Options
from .peers.joint_graph import joint_graph_step
from .peers.tooth_per_sample import tooth_per_sample_step
from .report import Report

ITERATIONS, OBJECTS, TEETH, MANY = 11, 8, 4, 32
ROUNDS = 2
DECODE_BYTES = 2**29  # bytes for the objects that are clicked together
CACHED_OBJECTS, CACHED_ITERATIONS, CACHED_IMAGES, CACHED_ROUNDS = 4, 3, 2, 3


def schedule(iterations: int) -> ClickSchedule:
    """SAM's schedule where there is room for it: two iterations get no new click."""
    mask_only = 2 if iterations > 3 else 0
    return ClickSchedule(iterations - 1 - mask_only, mask_only)


def adapted(network: SamHQ, device: torch.device, scope: Scope) -> SamHQ:
    """The network with a new adapter, as the training loop holds it."""
    network = add_lora(network, LoraSettings(scope)).to(device)
    network.train()
    freeze_statistics(network)
    return network


def our_step(
    network: SamHQ, source: Any, frame: Frame, truth: torch.Tensor, iterations: int, windows: bool
) -> StepReport:
    """A step of the training loop on one image, in the precision that its side is run in."""
    kind = truth.device.type
    autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    rng = np.random.default_rng(0)
    settings = StepSettings(schedule(iterations), windowed_loss=windows, autocast=autocast, decode_bytes=DECODE_BYTES)
    return train_step(network, source, frame, [truth], settings, rng)


def ours(
    device: torch.device, model: str, objects: int, iterations: int, windows: bool, quarter: bool = False
) -> Work:
    """Our step, as the recipes take it (`windows`) or with the exact gradient; facts: the clicks' share of it."""
    network, image, truth, frame = scene.training(device, model, objects, scene.QUARTER if quarter else scene.OWN)
    network = adapted(network, device, "encoder+decoder")
    clicks = Stopwatch()
    click_through.correction_clicks = clicks.around(correction_clicks)  # type: ignore[attr-defined]
    taken = Stopwatch()

    def run() -> None:
        clicks.seconds = taken.seconds = 0.0
        network.zero_grad(set_to_none=True)
        taken.around(our_step)(network, image, frame, truth, iterations, windows)

    return Work(
        run,
        facts=lambda: {"share_of_clicks": clicks.seconds / taken.seconds} if iterations > 1 else {},
    )


def joint_graph(device: torch.device, model: str, objects: int, iterations: int, quarter: bool = False) -> Work:
    """One graph over all clicks, on the same grid."""
    network, image, truth, frame = scene.training(device, model, objects, scene.QUARTER if quarter else scene.OWN)
    network = adapted(network, device, "encoder+decoder")

    def run() -> None:
        network.zero_grad(set_to_none=True)
        rng = np.random.default_rng(0)
        joint_graph_step(network, image, frame, truth, schedule(iterations), MaskLoss(), rng)

    return Work(run)


def tooth_per_sample(device: torch.device, model: str, objects: int, iterations: int) -> Work:
    """Each tooth encoded for itself on the padded square, with the loss at its pixels."""
    network, image, truth, frame = scene.training(device, model, objects, scene.squared(scene.OWN), stride=1)
    network = adapted(network, device, "encoder+decoder")

    def run() -> None:
        network.zero_grad(set_to_none=True)
        rng = np.random.default_rng(0)
        tooth_per_sample_step(network, image, frame, truth, schedule(iterations), MaskLoss(), rng)

    def warm() -> None:
        with torch.no_grad():
            network.image_encoder(image)

    return Work(run, warm)  # a whole step takes minutes


def epoch(device: torch.device, model: str, objects: int, iterations: int, images: int, cached: bool) -> Work:
    """An epoch of the training loop's steps with a frozen encoder; with the cache, every epoch but the first."""
    network, pixels, truth, frame = scene.training(device, model, objects, scene.OWN)
    network = adapted(network, device, "decoder")
    recipe = load_recipe("decoder", [])
    optimiser = build_optimiser(trainable_parameters(network), recipe.optimiser)
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    cache = EmbeddingCache(Path(folder), model) if cached else None
    encoding = Encoding(network, True, cache, None)
    samples = [
        Sample(
            pixels + 0.01 * index,
            None,
            frame,
            truth,
            (),
            index,
            cache.key(f"{index}") if cache is not None else None,
        )
        for index in range(images)
    ]

    def run() -> None:
        for sample in samples:
            optimiser.zero_grad(set_to_none=True)
            image = encoding.of_group([sample])
            our_step(network, image, frame, truth, iterations, recipe.windowed_objective)
            optimiser.step()

    def first_epoch() -> None:
        for sample in samples:
            encoding.output(sample)

    def stored() -> dict[str, float]:
        return {"cache_bytes": float(cache.size()[1])} if cache is not None else {}

    return Work(run, warm=first_epoch, facts=stored)


class Stopwatch:
    """Adds up the seconds of calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - started

        return call


def run(options: Options) -> Report:
    """The whole benchmark."""
    quick = options.quick
    model = options.model or (scene.SMALL if quick else scene.DEFAULT)
    iterations, objects, teeth, many = (2, 2, 1, 4) if quick else (ITERATIONS, OBJECTS, TEETH, MANY)
    report = options.report(
        "One training step, LoRA on encoder and decoder",
        image="512 x 1024",
        model=model,
        iterations=iterations,
        objects=f"{objects} beside the joint graph, {teeth} beside a sample per tooth",
    )
    all_ = {"model": model, "objects": objects, "iterations": iterations}
    sides = [
        Side("ours", "train:ours", {**all_, "windows": True}),
        Side("ours, exact gradient", "train:ours", {**all_, "windows": False}, rounds=1),
        Side("one graph over all clicks", "train:joint_graph", all_, rounds=1),
    ]
    measured = options.measure(sides, ROUNDS)
    own, exact, joint = measured.values()
    report.add(measured, f"{objects} objects, own grid")
    report.ratio("train_vs_joint_graph", own, joint)
    report.ratio("train_exact_vs_joint_graph", exact, joint)
    report.ratio("train_memory_vs_joint_graph", own, joint, "added_bytes")
    report.ratio("train_process_memory_vs_joint_graph", own, joint, "peak_bytes")

    large = {**all_, "objects": many, "quarter": True}
    sides = [
        Side(f"ours, {many} objects", "train:ours", {**large, "windows": True}),
        Side(f"one graph over all clicks, {many} objects", "train:joint_graph", large, rounds=1),
    ]
    measured = options.measure(sides, ROUNDS)
    own, joint = measured.values()
    report.add(measured, f"{many} objects, a window of a quarter of the grid")
    report.ratio("train32_vs_joint_graph", own, joint)
    report.ratio("train32_memory_vs_joint_graph", own, joint, "added_bytes")
    report.ratio("train32_process_memory_vs_joint_graph", own, joint, "peak_bytes")

    few = {"model": model, "objects": teeth, "iterations": iterations}
    sides = [
        Side("ours, own grid", "train:ours", {**few, "windows": True}),
        # its matrices of 0.8 GB leave a heap that keeps them in pieces: with it two teeth do not fit 18 GB, else 13
        Side("a sample per tooth, padded square", "train:tooth_per_sample", few, rounds=1, keep_freed=False),
    ]
    measured = options.measure(sides, ROUNDS)
    own, tooth = measured.values()
    report.add(measured, f"{teeth} objects")
    report.ratio("train_vs_tooth_per_sample", own, tooth)

    large = {**all_, "objects": many, "windows": True}
    measured = options.measure([Side(f"ours, {many} objects", "train:ours", large)], 1)
    report.add(measured, f"{many} objects")
    (own,) = measured.values()
    if own.error is None and tooth.error is None:
        # the samples share nothing, so that many take many times as long as one
        seconds = many / teeth * tooth.median
        report.rows.append(
            {"group": f"{many} objects", "name": f"a sample per tooth, from {teeth} of them", "seconds": seconds}
        )
        report.ratios[f"train{many}_vs_tooth_per_sample_extrapolated"] = seconds / own.median

    cached_epochs(
        options, report, model, *((2, 2, 1) if quick else (CACHED_OBJECTS, CACHED_ITERATIONS, CACHED_IMAGES))
    )
    if not quick:
        cached_epochs(options, report, model, MANY, ITERATIONS, 1)
    return report


def cached_epochs(options: Options, report: Report, model: str, objects: int, iterations: int, images: int) -> None:
    """The frozen encoder's epochs; the ratio of the first call has the plain name."""
    arguments = {"model": model, "objects": objects, "iterations": iterations, "images": images}
    sides = [
        Side("cached, second epoch and later", "train:epoch", {**arguments, "cached": True}),
        Side("encoded every time", "train:epoch", {**arguments, "cached": False}),
    ]
    measured = options.measure(sides, CACHED_ROUNDS if objects < MANY else 1)  # the many take half a minute each
    report.add(measured, f"an epoch of {images} with a frozen encoder, {objects} objects x {iterations} iterations")
    name = "cached_epoch_vs_uncached"
    if name in report.ratios:
        name = f"cached_epoch_vs_uncached_{objects}x{iterations}"
    ours, other = measured.values()
    report.ratio(name, ours, other)
