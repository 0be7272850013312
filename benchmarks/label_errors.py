"""How early spoiled annotations come when `dentasam data check --model` ranks all by the model's disagreement.

    python benchmarks/label_errors.py DATASET [--images 12] [--each 2] [--model NAME] [--adapter NAME]

In each image some annotations are spoiled in turn by one of these slips: moved sideways by half of its width, its
lower half missing, merged with the annotation beside it, grown by a tenth of its height. Printed is the share of the
spoiled ones among as many first ranks as there are spoiled ones, and among twice as many, beside what a random order
gives.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.evaluation.label_errors import ranked_by_disagreement
from dentasam.model.runtime import load

SLIPS = ("moved", "half", "merged", "grown")


def slipped(mask: np.ndarray, slip: str, neighbour: np.ndarray) -> np.ndarray:
    """The mask (H, W) bool with one slip. neighbour: the mask of the annotation beside it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if slip == "moved":
        return np.roll(mask, (columns[-1] - columns[0] + 1) // 2, axis=1)
    if slip == "half":
        half = mask.copy()
        half[(rows[0] + rows[-1]) // 2 :] = False
        return half
    if slip == "merged":
        return mask | neighbour
    size = max(3, (rows[-1] - rows[0]) // 5 | 1)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0)


def spoiled(record: ImageRecord, each: int, seed: int) -> tuple[ImageRecord, dict[int, str]]:
    """The image with `each` of its annotations spoiled, and the slip of each by its id."""
    rng = np.random.default_rng([seed, record.id])
    objects, slips = list(record.objects), {}
    for turn, place in enumerate(rng.permutation(len(objects))[:each]):
        mask = objects[place].mask(record.height, record.width)
        others = [item for item in record.objects if item.id != objects[place].id]
        x = objects[place].bbox[0]
        beside = min(others, key=lambda item: abs(item.bbox[0] - x)).mask(record.height, record.width)
        slip = SLIPS[(record.id * each + turn) % len(SLIPS)]
        changed = slipped(mask, slip, beside)
        objects[place] = ObjectRecord.from_mask(objects[place].id, objects[place].category, changed)
        slips[objects[place].id] = slip
    return replace(record, objects=tuple(objects)), slips


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="dentasam-tiny")
    parser.add_argument("--adapter", default="panoramic-teeth")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    records = [record for record in Dataset.load(given.dataset).images if len(record.objects) > given.each]
    changed = [spoiled(record, given.each, given.seed) for record in records[: given.images]]
    slips = {id: slip for _, found in changed for id, slip in found.items()}
    segmenter = load(given.model, given.adapter).merged()
    ranked = ranked_by_disagreement(segmenter, [(given.dataset, record) for record, _ in changed])
    order = [item.annotation for item in ranked]
    count = len(slips)
    print(f"{len(changed)} images, {len(order)} annotations, {count} spoiled")
    rows = {}
    for first in (count, 2 * count):
        found = sum(id in slips for id in order[:first])
        rows[str(first)] = found / count
        print(
            f"among the first {first}: {found / count:.0%} of the spoiled; {first / len(order):.0%} in random order"
        )
    for slip in SLIPS:
        ranks = [place + 1 for place, id in enumerate(order) if slips.get(id) == slip]
        print(f"  {slip}: {len(ranks)}, ranks {', '.join(map(str, ranks))}")
    if given.json is not None:
        work = {"images": len(changed), "annotations": len(order), "spoiled": count}
        given.json.write_text(json.dumps({"work": work, "found": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
