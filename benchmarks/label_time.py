"""How long it takes to label a case: a SIMULATED annotator at the real page, on real images with hidden truth.

    .venv/bin/python benchmarks/label_time.py [TEST.json] [--limit 6] [--target 0.90]
        [--ways brush clicks refine proposals] [--json FILE] [--pictures DIR]

TEST.json is a COCO file of images whose teeth are named by FDI numbers; left out, it is that of
../shared/data/ufba425 beside the checkout.

`dentasam label` serves copies of the images with the bundled model; the annotator works the page in headless
Chromium, each image once in each way:

    brush      brush and eraser alone, then two digits
    clicks     a click, correction clicks, two digits
    refine     a click, brush strokes after each of which the model refines, two digits
    proposals  the model's proposals, walked through, corrected and completed

It sees what the page shows and compares it with the truth as a person's eye would; an outline is corrected until its
Dice is the target or ten acts (clicks or strokes) are spent. Its seconds are not measured: each act costs what the
keystroke-level model says (`annotator/keystroke_times.py` has all times and their sources). The page is much faster
than that, and so the waits for its answers are measured, reported apart, and to be added: nothing is done meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from annotator.hand import ANNOTATOR, opened
from annotator.judgement import Tooth, is_tooth
from annotator.keystroke_times import KINDS, TIMES
from annotator.labelled import Labelled, ratio, summary
from annotator.one_by_one import Way, with_brush, with_clicks, with_refined_strokes
from annotator.proposals_first import with_proposals
from label_cases import serving
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from dentasam.data.dataset import Dataset
from dentasam.data.record import ImageRecord
from dentasam.errors import DentasamError

ROOT = Path(__file__).parent.parent
BESIDE = ROOT.parent / "shared" / "data" / "ufba425" / "test.json"
LIMIT = 6
WAYS: dict[str, Way] = {
    "brush": with_brush,
    "clicks": with_clicks,
    "refine": with_refined_strokes,
    "proposals": with_proposals,
}
# As the page lists teeth: upper jaw, then lower jaw, each from the patient's right to the left.
ROWS = ("1", "2", "4", "3")


def teeth_of(image: ImageRecord) -> list[Tooth]:
    """The true teeth in chart order, deciduous ones beside their successors."""
    found = [
        Tooth(each.category, each.mask(image.height, image.width))
        for each in image.objects
        if is_tooth(each.category)
    ]

    def place(tooth: Tooth) -> tuple[int, int]:
        quadrant, position = int(tooth.number[0]), int(tooth.number[1])
        row = ROWS.index(str(quadrant - 4 if quadrant > 4 else quadrant))
        return row, -position if row % 2 == 0 else position

    return sorted(found, key=place)


def spread(images: list[ImageRecord], limit: int) -> list[ImageRecord]:
    """So many of the images, evenly over the file; all of them for 0."""
    if limit == 0 or limit >= len(images):
        return images
    return [images[round(place)] for place in np.linspace(0, len(images) - 1, limit)]


def label(
    browser: Browser, images: list[ImageRecord], ways: list[str], target: float, pictures: Path | None, scratch: Path
) -> Iterator[dict[str, list[Labelled]]]:
    """Every image in each of the ways, each in a case of its own; what is done so far, after each."""
    announce = Console(stderr=True).print
    found: dict[str, list[Labelled]] = {}
    for proposals in (False, True):
        here = [way for way in ways if (way == "proposals") is proposals]
        if not here:
            continue
        folder = scratch / ("proposed" if proposals else "untouched")
        folder.mkdir()
        for place, image in enumerate(images):
            for way in here:
                shutil.copyfile(image.path, folder / f"{place:03d}-{way}{image.path.suffix}")
        options = ["--annotator", ANNOTATOR, "--proposals" if proposals else "--no-proposals"]
        announce(f"encoding {len(images)} images for {', '.join(here)}")
        with serving(folder, *options) as (url, client):
            if proposals and not client.get("/api/session").json()["numbers"]:
                raise DentasamError(
                    "the model has no chart head, so nothing is proposed; leave proposals out of --ways"
                )
            ids = {Path(case["name"]).stem: case["id"] for case in client.get("/api/cases").json()}
            for place, image in enumerate(images):
                teeth = teeth_of(image)
                for way in here:
                    with opened(browser, url, ids[f"{place:03d}-{way}"], proposals) as hand:
                        WAYS[way](hand, teeth, target)
                        case = Labelled.of(image.file_name, hand, teeth)
                        if pictures is not None:
                            hand.page.screenshot(path=pictures / f"{place:03d}-{way}.png")
                    found.setdefault(way, []).append(case)
                    announce(
                        f"{image.file_name} {way}: {case.total:.0f} s, {case.acts} acts, {len(teeth)} teeth, "
                        f"Dice {np.mean(case.dice):.3f}, {case.right} numbers right, waits {case.waits:.1f} s"
                    )
                    yield found


def table(sums: dict[str, dict[str, Any]], target: float) -> Table:
    shown = Table(title=f"SIMULATED labelling time of a case, seconds; each outline until Dice {target:.2f}")
    shown.add_column("")
    for way in sums:
        shown.add_column(way, justify="right")

    def add(name: str, text: Any) -> None:
        shown.add_row(name, *(text(each) for each in sums.values()))

    def with_interval(middle: float, between: tuple[float, float] | None, form: str) -> str:
        return f"{middle:{form}}" + (f" ({between[0]:{form}} to {between[1]:{form}})" if between else "")

    add("median (95 % interval)", lambda each: with_interval(each["seconds"], each["seconds_interval"], ".0f"))
    for kind in KINDS:
        add(f"  {kind}, mean", lambda each, kind=kind: f"{each['mean_seconds_by_kind'][kind]:.0f}")
    add("waits, to be added", lambda each: f"{each['waits']:.0f}")
    add("clicks and strokes", lambda each: f"{each['acts']:.0f}")
    add("Dice, median of cases", lambda each: with_interval(each["dice"], each["dice_interval"], ".3f"))
    add("Dice of the worst tooth", lambda each: f"{each['dice_min']:.3f}")
    add("teeth that reach the target", lambda each: f"{each['at_target']:.1%}")
    add("numbers right", lambda each: f"{each['numbers_right']:.1%}")
    add("objects that are no tooth", lambda each: f"{each['extra_objects']}")
    return shown


def results(found: dict[str, list[Labelled]], target: float, work: str) -> dict[str, Any]:
    """Everything, as JSON. ratios: seconds by seconds of the same image."""
    sums = {way: summary(cases, target) for way, cases in found.items()}
    ratios = {}
    if {"proposals", "clicks"} <= found.keys():
        middle, between = ratio(found, "proposals", "clicks")
        ratios["proposals_to_clicks"] = {"median": middle, "interval": between}
    return {
        "simulated": True,
        "seconds_per_case": {way: each["seconds"] for way, each in sums.items()},
        "dice": {way: each["dice"] for way, each in sums.items()},
        "target": target,
        "ratios": ratios,
        "ways": sums,
        "times": {name: time._asdict() for name, time in TIMES.items()},
        "cases": {way: [asdict(case) for case in cases] for way, cases in found.items()},
        "work": work,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}",
    }


def work_of(images: list[ImageRecord], dataset: Path, browser: str) -> str:
    teeth = sum(len(teeth_of(image)) for image in images)
    return f"{len(images)} images of {dataset.name}, {teeth} teeth; Chromium {browser}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?", default=BESIDE)
    parser.add_argument("--limit", type=int, default=LIMIT, help="so many images, evenly over the file; 0: all")
    parser.add_argument("--target", type=float, default=0.9, help="the Dice at which an outline will do")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of each labelled page")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    chromium = runpy.run_path(str(ROOT / "tests" / "provide.py"))["chromium"]()
    if chromium is None:
        sys.exit("no Chromium here; python tests/provide.py installs one")
    try:
        images = spread(list(Dataset.load(arguments.dataset).images), arguments.limit)
        if arguments.pictures is not None:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            ways = [way for way in WAYS if way in arguments.ways]
            version = browser.version
            found: dict[str, list[Labelled]] = {}
            for found in label(browser, images, ways, arguments.target, arguments.pictures, Path(scratch)):
                if arguments.json is not None:
                    document = results(found, arguments.target, work_of(images, arguments.dataset, version))
                    arguments.json.write_text(json.dumps(document, indent=2) + "\n")
            browser.close()
    except DentasamError as error:
        sys.exit(str(error))

    document = results(found, arguments.target, work_of(images, arguments.dataset, version))
    console = Console()
    console.print(table(document["ways"], arguments.target))
    for ratio_of in document["ratios"].values():
        between = ratio_of["interval"]
        told = "" if between is None else f" ({between[0]:.2f} to {between[1]:.2f})"
        console.print(f"proposals take x{ratio_of['median']:.2f}{told} the time of clicks, median of images")
    console.print(f"{document['work']}; {document['machine']}")


if __name__ == "__main__":
    main()
