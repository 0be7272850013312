"""How long the server takes from a click to the mask, on a full-size image, at rest and while it encodes others.

    .venv/bin/python benchmarks/label_latency.py [--images DIR] [--clicks 40] [--objects 32] [--json FILE]
                                                 [--model NAME|PATH] [--adapter NAME|DIR]

Without --images it takes ../shared/data/abdi beside the checkout where there is one, else a phantom of 3100 x 1300.
The first click of an object encodes its window; later ones are decoded in it, unless they move it. The rows of the
whole image are those of `--no-windows`. HTTP and the browser are not in these times. Beside the server's way on the
whole image stands `Segmenter.predict`, whose adapter is not merged and which upscales every object over the whole
image: the two take turns, and the ratios say what the server's way is worth. Encoding in the background goes on by
itself, so its row is measured after the others.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from dentasam.data.images.read import image_size, read_image
from dentasam.labelling.inference.encoding.case_encoder import CaseEncoder
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.encoding.uncertainty import LEFT, RIGHT
from dentasam.labelling.inference.predictor import Predictor
from dentasam.labelling.inference.requests import Click, PredictObject
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter

BESIDE = Path(__file__).parent.parent.parent / "shared" / "data" / "abdi"


def in_turns(sides: dict[str, Callable[[int], object]], times: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of p50 and p95 of each side, one after the other in every round, after one round to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-1, times):
        for name, action in sides.items():
            started = time.perf_counter()
            action(max(turn, 0))
            if turn >= 0:
                taken[name].append(1000 * (time.perf_counter() - started))
    return {name: (float(np.percentile(each, 50)), float(np.percentile(each, 95))) for name, each in taken.items()}


def images_in(folder: Path | None, scratch: Path) -> list[Path]:
    """Two images or more; the first is clicked on, the others are what the encoder is busy with."""
    folder = folder or (BESIDE if BESIDE.is_dir() else None)
    if folder is not None:
        return sorted(folder.glob("*.jpg")) + sorted(folder.glob("*.png"))
    from dentasam.data.phantom import generate

    first = scratch / "0.png"
    Image.fromarray(generate(1, width=3100, height=1300).image).save(first)
    pixels = read_image(first)
    for index in range(1, 12):
        Image.fromarray(np.roll(pixels, 7 * index, axis=1)).save(scratch / f"{index}.png")
    return sorted(scratch.glob("*.png"))


def cases(paths: list[Path]) -> dict[int, CaseImage]:
    """A worklist of the images, from case 1 on."""
    sizes = [image_size(path) for path in paths]
    return {
        index: CaseImage(path.name, path, width, height, 8)
        for index, (path, (height, width)) in enumerate(zip(paths, sizes, strict=True), start=1)
    }


class Story:
    """Clicks on one object after another, in object windows: the first of each is where its turn says.

    Windows of places that were clicked on before are in the cache, so each turn is at a place of its own.
    """

    def __init__(self, predictor: Predictor, places: list[tuple[float, float]], width: int) -> None:
        self.predictor, self.places, self.width = predictor, places, width
        self.turn = 0
        self.answered_by: list[str | None] = []

    def first(self, choices: bool) -> None:
        """A click on a new object at the next place, a few pixels from where others clicked."""
        self.turn += 1
        x, y = self.places[self.turn % len(self.places)]
        self.clicks: list[Click] = [(x + self.turn % 7 * 3.1, y + self.turn % 11 * 5.3, 1)]
        self.ask(None, choices)

    def later(self) -> None:
        """A correction a little beside the first click."""
        x, y, _ = self.clicks[0]
        side = 1 if len(self.clicks) % 2 else -1
        self.clicks.append((x + side * 0.004 * self.width, y + 0.01 * self.width, 0 if side > 0 else 1))
        self.ask(self.mask)

    def far(self) -> None:
        """A correction outside the window, which moves."""
        x, y, _ = self.clicks[0]
        self.clicks.append((x, y + 0.13 * self.width, 1))
        self.ask(self.mask)

    def ask(self, previous: BoxMask | None, choices: bool = False) -> None:
        request = PredictObject(f"story {self.turn}", self.clicks, previous=previous, choices=choices)
        (found,) = self.predictor.predict(1, [request]).objects
        self.mask = found.mask
        self.answered_by.append(found.answered_by)


def in_windows(story: Story, times: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of p50 and p95 of the clicks on objects of their own."""
    taken: dict[str, list[float]] = {}

    def timed(name: str, action: Callable[[], None]) -> None:
        started = time.perf_counter()
        action()
        taken.setdefault(name, []).append(1000 * (time.perf_counter() - started))

    for _ in range(times):
        timed("first click of an object", lambda: story.first(False))
        for _ in range(3):
            timed("later click in its window", story.later)
        timed("click that moves the window", story.far)
        timed("first click of an object, with its choices", lambda: story.first(True))
    return {name: (float(np.percentile(each, 50)), float(np.percentile(each, 95))) for name, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--objects", type=int, default=32)
    parser.add_argument("--model", default="dentasam-tiny")
    parser.add_argument("--adapter", default=None, help="panoramic-teeth on dentasam-tiny if left out")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.adapter is None and arguments.model == "dentasam-tiny":
        arguments.adapter = "panoramic-teeth"
    with tempfile.TemporaryDirectory() as folder:
        paths = images_in(arguments.images, Path(folder))
        pixels = read_image(paths[0])
        height, width = pixels.shape
        places = [(float(x) * width, height * 0.5) for x in np.linspace(LEFT, RIGHT, max(arguments.objects, 2))]

        def loader() -> Segmenter:
            return load(arguments.model, adapter=arguments.adapter)

        encoder = CaseEncoder(EmbeddingStore(Path(folder) / "embeddings"))
        queue = EncodeQueue(loader, encoder, cases(paths[:1]), windows=False)
        queue.start()
        queue.wait_for_model()
        alone = Predictor(queue)
        first = alone.predict(1, [PredictObject("a", [(*places[0], 1)])])

        def click(predictor: Predictor) -> Callable[[int], object]:
            def run(turn: int) -> object:
                return predictor.predict(1, [PredictObject("a", [(*places[turn % len(places)], 1)])])

            return run

        def correct(turn: int) -> object:
            clicks = [(*places[turn % len(places)], 1), (*places[(turn + 1) % len(places)], 0)]
            return alone.predict(1, [PredictObject("a", clicks, previous=first.objects[0].mask)])

        def everything(turn: int) -> object:
            return alone.predict(1, [PredictObject(str(i), [(*at, 1)]) for i, at in enumerate(places)])

        segmenter = loader()
        started = time.perf_counter()
        embedding = segmenter.encode(pixels)
        encode = 1000 * (time.perf_counter() - started)
        at = np.array(places, np.float32)[:, None]

        def plain(count: int) -> Callable[[int], object]:
            def run(turn: int) -> object:
                chosen = at[turn % len(at)][None] if count == 1 else at[:count]
                return segmenter.predict(embedding, chosen, np.ones((len(chosen), 1), np.int64))

            return run

        count = len(places)
        one = {"click → mask": click(alone), "Segmenter.predict, one click": plain(1)}
        all_of_them = {
            f"{count} objects in one request": everything,
            f"Segmenter.predict, {count} objects": plain(count),
        }
        found = in_turns(one | {"correction of a mask the server has not made": correct}, arguments.clicks)
        found |= in_turns(all_of_them, max(3, arguments.clicks // 8))
        queue.stop()

        windows_queue = EncodeQueue(loader, encoder, cases(paths[:1]))
        windows_queue.start()
        story = Story(Predictor(windows_queue), places, width)
        story.first(True)
        windows = in_windows(story, arguments.clicks)
        windows_queue.stop()

        busy_queue = EncodeQueue(loader, encoder, cases(paths), windows=False)
        busy_queue.start()
        busy = Predictor(busy_queue)
        busy.predict(1, [PredictObject("a", [(*places[0], 1)])])
        found |= in_turns({"click → mask, while others are encoded": click(busy)}, arguments.clicks)
        still = busy_queue.progress()
        busy_queue.stop()

    first_click = 1000 * first.seconds.encode
    rows = [
        ("first click, image not encoded", first_click, first_click),
        ("one encode, adapter not merged", encode, encode),
    ]
    rows += [(f"whole image: {name}", p50, p95) for name, (p50, p95) in found.items()]
    rows += [(f"windows: {name}", p50, p95) for name, (p50, p95) in windows.items()]
    (ours, theirs), (ours_all, theirs_all) = ([found[name][0] for name in sides] for sides in (one, all_of_them))
    ratios = {"click_vs_segmenter": theirs / ours, "objects_vs_segmenter": theirs_all / ours_all}
    ratios["click_in_window_vs_whole"] = ours / windows["later click in its window"][0]
    names = " + ".join(Path(str(each)).stem for each in (arguments.model, arguments.adapter) if each)
    work = f"{paths[0].name}, {width} x {height}, {names}, {torch.get_num_threads()} threads"
    table = Table(title=f"From a request to its masks, ms ({work})")
    for heading in ("", "p50", "p95"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, p50, p95 in rows:
        table.add_row(name, f"{p50:.0f}", f"{p95:.0f}")
    console = Console()
    console.print(table)
    for name, value in ratios.items():
        console.print(f"{name}  x{value:.2f}")
    load_average = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    share = sum(each == "window" for each in story.answered_by) / len(story.answered_by)
    console.print(f"windows answered {100 * share:.0f} % of the clicks that may have one")
    console.print(f"{load_average}; the encoder was at {still.encoded} of {still.total} after the clicks")
    if arguments.json is not None:
        report = {
            "machine": f"{platform.machine()}, {load_average}",
            "work": work,
            "rows": [{"name": name, "p50_ms": p50, "p95_ms": p95} for name, p50, p95 in rows],
            "ratios": ratios,
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
