"""Documents in JSON and YAML that people write by hand, as values; the kinds bend them and write them as text."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from .images import gray8

IMAGE = "a.png"
PROMPTS = {
    IMAGE: [
        {"category": "36", "clicks": [[30, 20, 1], [40, 30, 0]]},
        {"box": [10, 10, 40, 50]},
        {"category": "caries", "clicks": [[60.5, 31.25, 1]], "box": [50, 20, 80, 60]},
    ]
}
BOXES = {IMAGE: [[10, 10, 40, 50], [50.5, 20, 80, 60]]}
RESULTS = [
    {"image_id": 1, "category_id": 11, "bbox": [10, 10, 30, 30], "score": 0.9},
    {"image_id": 1, "category_id": 12, "bbox": [50, 5, 20, 50], "score": 0.5},
]
IMAGES_FILE = {
    "images": [{"id": 1, "file_name": IMAGE, "width": 128, "height": 64}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 11, "bbox": [1, 2, 30, 30], "area": 900, "iscrowd": 0}],
    "categories": [{"id": 11, "name": "11"}, {"id": 12, "name": "12"}],
}
SETTINGS: tuple[tuple[str, Any], ...] = (
    ("optimiser.lr", 1e-4),
    ("schedule.iterations", 3),
    ("lora.rank", 2),
    ("crop.share", 0.5),
    ("budget.epochs", None),
    ("schedule.iterations_drawn", {"1": 0.5, "2": 0.5}),
    ("seed", 7),
    ("precision", "fp32"),
    ("cache.dir", "somewhere"),
    ("objects_per_image", 2),
    ("batch_images", 2),
    ("phantoms.width", 512),
)


def build_documents(folder: Path) -> None:
    """A radiograph, a COCO file that names it, and a document of each kind as it should be."""
    Image.fromarray(gray8()).save(folder / IMAGE)
    for name, content in (
        ("images", IMAGES_FILE),
        ("prompts", PROMPTS),
        ("boxes", BOXES),
        ("recipe", {"scope": "decoder"}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    (folder / "set.txt").write_text("seed=7", "utf-8")
