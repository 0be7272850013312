"""What bf16, ONNX Runtime and 8-bit integers gain in time, and what they cost in Dice, in one interleaved run.

python -m benchmarks.encoder_arithmetic VAL.json [--images 10] [--repeat 3] [--model …] [--adapter …]

Give images that nothing else is decided on: a choice made here on a test set would be a choice made on the test.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import generate
from dentasam.evaluation.evaluate import evaluate
from dentasam.model.core.precision import autocast_type
from dentasam.model.onnx.export import ENCODER, export_onnx
from dentasam.model.onnx.int8 import quantise_encoder
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter, load_torch
from dentasam.prompts.correction_clicks import interior_centre

CLICKS = 3
OBJECTS = 16
CALIBRATION_SEEDS = range(880_000, 880_008)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--model", default="dentasam-tiny")
    parser.add_argument("--adapter", default="panoramic-teeth", help="none for none")
    given = parser.parse_args()
    adapter = None if given.adapter == "none" else given.adapter
    dataset = Dataset.load(given.dataset)
    records = [record for record in dataset.images if record.objects][: given.images]

    with tempfile.TemporaryDirectory() as made:
        segmenters = variants(given.model, adapter, Path(made))
        encode: dict[str, list[float]] = {name: [] for name in segmenters}
        decode: dict[str, list[float]] = {name: [] for name in segmenters}
        for turn in range(given.repeat + 1):
            for record in records:
                image, centres = record.read(), interior_centre(record.masks()[:OBJECTS])[:, None]
                for name, segmenter in segmenters.items():
                    started = time.process_time()
                    embedding = segmenter.encode(image)
                    encoded = time.process_time()
                    two_clicks(segmenter, embedding, centres)
                    if turn:  # the first turn warms up
                        encode[name].append(encoded - started)
                        decode[name].append(time.process_time() - encoded)
        dice = {
            name: evaluate(each, dataset, CLICKS, limit=given.images).metrics()["dice_at_clicks"]
            for name, each in segmenters.items()
        }
        sizes = {name: size(segmenter) for name, segmenter in segmenters.items()}

    objects = sum(len(record.objects) for record in records)
    print(
        f"{given.model} with {adapter}, {len(records)} images, {objects} objects, {torch.get_num_threads()} threads\n"
        f"encode: an image; decode: two clicks on up to {OBJECTS} objects of it, masks at the image's size; "
        f"seconds of the processor, median of {given.repeat * len(records)}, and how many times torch's speed"
    )
    print(f"{'':>14}  encode          decode          encoder MB  Dice@1            Dice@{CLICKS}")
    for name in segmenters:
        times = "  ".join(against(seconds["torch"], seconds[name]) for seconds in (encode, decode))
        scores = "  ".join(f"{dice[name][k]:.4f} ({dice[name][k] - dice['torch'][k]:+.4f})" for k in (0, CLICKS - 1))
        print(f"{name:>14}  {times}  {sizes[name]:>10}  {scores}")


def variants(model: str, adapter: str | None, folder: Path) -> dict[str, Segmenter]:
    """The same model and adapter on torch in two arithmetics, on ONNX Runtime, and there quantised in two ways."""
    found = {"torch": load(model, adapter, "cpu", "fp32").merged()}
    if autocast_type("auto", torch.device("cpu")) is not None:
        found["torch, bf16"] = load(model, adapter, "cpu", "bf16").merged()
    export_onnx(load_torch(model, adapter, "cpu"), folder / "fp32")
    found["onnx"] = load(folder / "fp32")
    for method in ("dynamic", "static"):
        shutil.copytree(folder / "fp32", folder / method)
        quantise_encoder(folder / method, method, (generate(seed).image for seed in CALIBRATION_SEEDS))
        found[f"int8 {method}"] = load(folder / method)
    return found


def two_clicks(segmenter: Segmenter, embedding: Any, centres: np.ndarray) -> None:
    """A first click and one after it, which is given the first one's logits."""
    labels = np.ones(centres.shape[:2], int)
    first = segmenter.predict(embedding, centres, labels)
    again = np.concatenate([centres, centres + 3], axis=1)
    segmenter.predict(embedding, again, np.ones(again.shape[:2], int), logits=first.logits)


def against(torch_seconds: list[float], seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    return f"{middle:6.3f} ({statistics.median(torch_seconds) / middle:.2f}x)"


def size(segmenter: Segmenter) -> str:
    """An exported encoder's file in MB."""
    encoder = segmenter.info.path / ENCODER
    return f"{encoder.stat().st_size / 1e6:.1f}" if encoder.is_file() else ""


if __name__ == "__main__":
    main()
