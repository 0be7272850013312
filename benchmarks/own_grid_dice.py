"""What a panoramic's own token grid costs in Dice against the padded square, at equal clicks on the same objects.

    python -m benchmarks.own_grid_dice DATASET.json [--images 6] [--clicks 5] [--model …] [--adapter …]

Both sides take the same images in turn; the square is SAM's own frame, 64 x 64 tokens with zeros below the image.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.evaluation.curve import click_curve
from dentasam.model.core.frame import LONGEST, PATCH, Frame
from dentasam.model.runtime import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--model", default="dentasam-tiny")
    parser.add_argument("--adapter", default=None)
    given = parser.parse_args()
    segmenter = load(given.model, adapter=given.adapter).merged()
    tokens = LONGEST // PATCH
    dice: dict[str, list[np.ndarray]] = {"own grid": [], "padded square": []}
    for record in [record for record in Dataset.load(given.dataset).images if record.objects][: given.images]:
        image, truth = record.read(), record.boxed_masks()
        own = Frame.of(*image.shape)
        for name, frame in (("own grid", own), ("padded square", replace(own, rows=tokens, cols=tokens))):
            embedding = segmenter.model.encode(frame.pixels(image).to(segmenter.device), frame)
            view = segmenter.windows(image, embedding, windows=False, repair=False)
            dice[name].append(click_curve(view, truth, given.clicks).dice)
    curves = {name: np.concatenate(parts) for name, parts in dice.items()}
    print(
        f"{given.images} images, {len(curves['own grid'])} objects, {given.model}, adapter {given.adapter}: "
        f"Dice@1 to Dice@{given.clicks}"
    )
    for name, curve in curves.items():
        print(f"{name:>14}  " + " ".join(f"{value:.4f}" for value in curve.mean(axis=0)))
    difference = (curves["own grid"] - curves["padded square"]).mean(axis=0)
    print(f"{'difference':>14}  " + " ".join(f"{value:+.4f}" for value in difference))


if __name__ == "__main__":
    import torch

    with torch.inference_mode():
        main()
