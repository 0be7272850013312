"""A model whose charts follow from an image's pixels, so that every result can be foreseen."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from dentasam.model.adapters.folder import AdapterIdentity
from dentasam.model.chart.chart import Chart
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer

HEIGHT, WIDTH = 48, 96
NUMBERS = ("18", "11", "21", "28", "36", "implant", "implant")


@dataclass
class StandIn:
    """Charts as many of NUMBERS as the first pixel says, each a block of 4 x 6 pixels, 10 columns apart.

    log: a file that gets a line for each chart. pause: seconds for each chart. A first pixel of 99 raises `fault`.
    """

    name: str = "dentasam-tiny"
    adapter: str | None = "panoramic-teeth"
    weights: str = "0" * 64
    has_chart: bool = True
    chart_sha256: str | None = "1" * 64
    log: Path | None = None
    pause: float = 0.0
    fault: Exception = field(default_factory=lambda: ZeroDivisionError("no tooth"))
    images_at_once: int = 1
    precision: str = "fp32"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    model: Any = field(default_factory=lambda: SimpleNamespace(runtime="torch"))
    charted: list[int] = field(default_factory=list)

    @property
    def info(self) -> SimpleNamespace:
        return SimpleNamespace(sha256="f" * 64, int8=None)

    @property
    def adapters(self) -> SimpleNamespace:
        identity = AdapterIdentity(self.adapter, self.weights, "1" * 64) if self.adapter else None
        return SimpleNamespace(identity=lambda: identity)

    def merged(self) -> StandIn:
        return self

    def chart(self, image: np.ndarray, windows: bool = True) -> Chart:
        count = int(image[0, 0])
        self.charted.append(count)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{count}\n")
        time.sleep(self.pause)
        if count == 99:
            raise self.fault
        return chart_of(NUMBERS[:count], *image.shape)


def chart_of(numbers: tuple[str, ...], height: int = HEIGHT, width: int = WIDTH) -> Chart:
    """A chart of blocks of 4 x 6 pixels at x = 2, 12, 22, …, y = 8; confidences fall from 0.95 in steps of 0.1."""
    blocks = [BoxedMask(2 + 10 * place, 8, np.ones((6, 4), bool)) for place in range(len(numbers))]
    answers = tuple(ObjectAnswer(block, np.zeros((4, 4), np.float32), 0.9) for block in blocks)
    boxes = np.array([(b.x, b.y, b.x + 4, b.y + 6) for b in blocks], np.float32).reshape(-1, 4)
    confidences = np.array([0.95 - 0.1 * place for place in range(len(numbers))], np.float32)
    return Chart(answers, boxes, boxes[:, :2] + 2, numbers, confidences, height, width)


def save_image(path: Path, count: int, shade: int = 50) -> Path:
    """An image whose chart has so many objects; shade: makes its content differ from others'."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((HEIGHT, WIDTH), shade, np.uint8)
    pixels[0, 0] = count
    Image.fromarray(pixels).save(path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, without the seconds that charting took."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop("charts.csv", None)
    for name in [name for name in found if name.startswith("charts/") and name.endswith(".json")]:
        found[name] = json.dumps({**json.loads(found[name]), "seconds": 0}).encode()
    return found
