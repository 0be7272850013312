"""Datasets of any number of images for `data_scale.py`: small PNG files and masks of phantoms, made in seconds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 1024, 512
PHANTOMS = 12
# Shares of the images with each tag.
TAGS = {"blurred": 0.05, "artifact": 0.1, "overlap": 0.3}


def write_large_dataset(folder: Path, images: int, objects: int) -> Path:
    """Writes `dataset.json` and `images/`, each image with `objects` masks, and returns the path of the JSON.

    The images differ from each other in a few pixels, compress to about 3 KB and use their whole gray range, so that
    neither the disk nor warnings of `data check` dominate. The masks are those of a few phantoms of the same size.
    """
    (folder / "images").mkdir(parents=True)
    charts = list(_charts(objects))
    draw = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, WIDTH))
    path = folder / "dataset.json"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        for index in range(images):
            name = f"images/{index // 4:06d}_{index % 4}.png"  # four images of each patient
            _write_image(folder / name, ramp, index)
            tags = [tag for tag, share in TAGS.items() if draw.random() < share]
            entry = {"id": index + 1, "file_name": name, "width": WIDTH, "height": HEIGHT, "tags": tags}
            file.write(", " * (index > 0) + json.dumps(entry))
        file.write('], "annotations": [')
        for index in range(images):
            for position, annotation in enumerate(charts[index % len(charts)]):
                numbered = {"id": index * objects + position + 1, "image_id": index + 1, **annotation}
                file.write(", " * (index + position > 0) + json.dumps(numbered))
        names = sorted({annotation["category_id"] for chart in charts for annotation in chart})
        categories = [{"id": id, "name": str(id), "supercategory": "tooth"} for id in names]
        file.write(f'], "categories": {json.dumps(categories)}}}')
    return path


def _charts(objects: int) -> Iterator[list[dict[str, Any]]]:
    """The annotations of one image, for each of a few phantoms; masks repeat where a phantom has fewer."""
    from dentasam.data.phantom import generate
    from dentasam.data.record import ObjectRecord

    for seed in range(PHANTOMS):
        found = []
        for each in generate(seed, width=WIDTH, height=HEIGHT).objects:
            if each.mask.any() and each.category.isdigit():
                record = ObjectRecord.from_mask(1, each.category, each.mask)
                found.append(
                    {
                        "category_id": int(each.category),
                        "segmentation": record.segmentation,
                        "bbox": list(record.bbox),
                        "area": int(record.area),
                        "iscrowd": 0,
                    }
                )
        yield [found[index % len(found)] for index in range(objects)]


def _write_image(path: Path, ramp: np.ndarray, index: int) -> None:
    pixels = ramp.copy()
    bits = np.frombuffer(np.uint32(index).tobytes(), np.uint8)
    pixels[:8, : 8 * 32] = np.repeat(np.unpackbits(bits) * 255, 8)
    done, coded = cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))
    assert done
    path.write_bytes(coded.tobytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", type=int)
    parser.add_argument("objects", type=int)
    arguments = parser.parse_args()
    print(write_large_dataset(arguments.folder, arguments.images, arguments.objects))
