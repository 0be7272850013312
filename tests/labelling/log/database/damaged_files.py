"""Damages SQLite files at seeded places, and judges what the product makes of them.

For every damaged copy of a workspace's database there are two right ends: the export is the truth, or what is not in
it, or the whole database, is named in one line. `verdict` raises AssertionError for anything else.
"""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dentasam.errors import DentasamError
from dentasam.labelling.exchange.offline import write_export

PAGE = 4096
Bend = Callable[[bytearray, random.Random], None]


def flip_bit(content: bytearray, draw: random.Random) -> None:
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def flip_bits(content: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randrange(2, 30)):
        flip_bit(content, draw)


def truncate(content: bytearray, draw: random.Random) -> None:
    del content[draw.randrange(len(content)) :]


def zero_page(content: bytearray, draw: random.Random) -> None:
    start = draw.randrange(max(1, len(content) // PAGE)) * PAGE
    content[start : start + PAGE] = bytes(len(content[start : start + PAGE]))


def random_bytes(content: bytearray, draw: random.Random) -> None:
    start, length = draw.randrange(len(content)), draw.choice([1, 2, 8, 100, 512])
    content[start : start + length] = draw.randbytes(len(content[start : start + length]))


def copy_page(content: bytearray, draw: random.Random) -> None:
    """A page of the same file in the place of another: every row on it is whole, but not where it belongs."""
    pages = max(1, len(content) // PAGE)
    source, target = (draw.randrange(pages) * PAGE for _ in range(2))
    content[target : target + PAGE] = content[source : source + PAGE]


BENDS: tuple[Bend, ...] = (flip_bit, flip_bit, flip_bits, truncate, zero_page, random_bytes, copy_page)


def bend_database(content: bytes, seed: int) -> bytes:
    """The bytes of a database with damage of one kind; the same for the same seed."""
    draw = random.Random(seed)
    bent = bytearray(content)
    draw.choice(BENDS)(bent, draw)
    return bytes(bent)


@dataclass(frozen=True)
class Truth:
    """A folder of images with its workspace, which nobody has open, and what its exports hold while it is whole."""

    folder: Path
    database: bytes
    objects: dict[str, Any]
    log: dict[str, Any]
    timing: str


def truth_of(folder: Path, scratch: Path) -> Truth:
    """Reads the workspace `folder/.dentasam` as it is while whole; scratch: a folder for the exports."""
    write_export(folder, "coco", folder / "labels.json")
    write_export(folder, "log", scratch / "log.ndjson")
    write_export(folder, "timing", scratch / "timing.csv")
    database = (folder / ".dentasam" / "labels.sqlite3").read_bytes()
    coco = json.loads((folder / "labels.json").read_text())
    return Truth(folder, database, _objects(coco), _log(scratch), (scratch / "timing.csv").read_text())


def verdict(truth: Truth, bent: bytes, scratch: Path) -> str:
    """Puts the bent bytes into the workspace and exports it: `refused`, `named` or `right`.

    Raises AssertionError where an export differs from the truth and no line says so, and whatever it raises that is
    not an error for the user.
    """
    root = truth.folder / ".dentasam"
    ends = set()
    for kind, target in (
        ("coco", truth.folder / "labels.json"),
        ("log", scratch / "log.ndjson"),
        ("timing", scratch / "timing.csv"),
    ):
        for file in root.glob("labels.sqlite3*"):
            file.unlink()
        (root / "labels.sqlite3").write_bytes(bent)
        target.unlink(missing_ok=True)
        named: list[str] = []
        try:
            write_export(truth.folder, kind, target, damaged=named)
        except DentasamError as error:
            refusal = str(error)
        else:
            refusal = ""
        if refusal:
            assert "\n" not in refusal
            assert not target.exists()
            ends.add("refused")
            continue
        assert all("\n" not in line for line in named)
        ends.add("named" if named else "right")
        if kind == "timing":
            assert named or target.read_text() == truth.timing, "the time table differs, and nothing says so"
            continue
        wanted, found = (
            (truth.objects, _objects(json.loads(target.read_text())))
            if kind == "coco"
            else (truth.log, _log(scratch))
        )
        # What is there is right, even where something is missing.
        wrong = [id for id in found if found[id] != wanted.get(id)]
        assert not wrong, f"{kind}: {wrong} differ from what was stored ({named})"
        assert named or found.keys() == wanted.keys(), f"{kind}: {wanted.keys() - found.keys()} are silently gone"
        unnamed = [id for id in wanted.keys() - found.keys() if not any(_image(truth, id) in line for line in named)]
        assert not unnamed, f"{kind}: no line names {unnamed} ({named})"
    return next(end for end in ("refused", "named", "right") if end in ends)


def copied(truth: Truth, target: Path) -> Truth:
    """The same in a folder of its own, for tests that damage it."""
    shutil.copytree(truth.folder, target)
    return Truth(target, truth.database, truth.objects, truth.log, truth.timing)


def _image(truth: Truth, id: str) -> str:
    """The name of the image of an entry of an export."""
    if " " in id:
        return id.split()[-1] if id.split()[-1] not in truth.objects else _image(truth, id.split()[-1])
    return str(truth.objects[id][0])


def _objects(coco: dict[str, Any]) -> dict[str, Any]:
    """Each object of a COCO export by its id; its parent by the parent's id."""
    images = {image["id"]: image for image in coco["images"]}
    names = {category["id"]: category["name"] for category in coco["categories"]}
    ids = {each["id"]: each["object"] for each in coco["annotations"]}
    found: dict[str, Any] = {}
    for each in coco["annotations"]:
        image = images[each["image_id"]]
        kept = {key: each[key] for key in ("segmentation", "source", "accepted", "annotator")}
        kept |= {key: each.get(key) for key in ("score", "model")}
        found[each["object"]] = (image["file_name"], names[each["category_id"]], kept)
    found |= {f"missing of {image['file_name']}": image["missing"] for image in images.values() if "missing" in image}
    found |= {f"image {image['file_name']}": (image["width"], image["height"]) for image in images.values()}
    found |= {f"parent of {each['object']}": ids[each["parent"]] for each in coco["annotations"] if "parent" in each}
    return found


def _log(scratch: Path) -> dict[str, Any]:
    entries = map(json.loads, (scratch / "log.ndjson").read_text().splitlines())
    return {entry["object"]: entry for entry in entries}
