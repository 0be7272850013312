"""The cases that `label_page.py` works on: full-size images, objects in them as annotators would have left them, and
`dentasam label` serving them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.inference.encoding.uncertainty import LEFT, RIGHT
from dentasam.labelling.log.operations import parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask

BESIDE = Path(__file__).parent.parent.parent / "shared" / "data" / "abdi"
PHANTOM = (3100, 1300)
DENTASAM = (sys.executable, "-m", "dentasam")


def full_size_image(folder: Path | None, scratch: Path) -> Path:
    """The first image of a folder, of shared/data/abdi beside the checkout where none is named; else a phantom."""
    folder = folder or (BESIDE if BESIDE.is_dir() else None)
    found = [] if folder is None else sorted([*folder.glob("*.jpg"), *folder.glob("*.png")])
    if found:
        return found[0]
    from dentasam.data.phantom import generate

    width, height = PHANTOM
    path = scratch / "phantom.png"
    Image.fromarray(generate(1, width=width, height=height).image).save(path)
    return path


def annotate(folder: Path, count: int) -> None:
    """Puts `count` objects into every case of a folder of images, as an annotator would have."""
    with open_workspace(folder) as (workspace, store, _):
        sizes = {image.name: (image.height, image.width) for image in workspace.images}
        masks = {size: _teeth(*size, count) for size in set(sizes.values())}
        for case in store.cases():
            _create(store, case.id, masks[sizes[case.name]])


def _teeth(height: int, width: int, count: int) -> list[BoxMask]:
    """Ellipses of the size of teeth in two rows across the image, each overlapping the next."""
    masks = []
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for index in range(count):
        column, row = divmod(index, 2)
        across = width * (LEFT + (RIGHT - LEFT) * (column + 0.5) / ((count + 1) // 2))
        down = height * (0.42 + 0.2 * row)
        reach = width * (RIGHT - LEFT) / count * 1.1, height * 0.1
        masks.append(BoxMask.from_mask(((x - across) / reach[0]) ** 2 + ((y - down) / reach[1]) ** 2 <= 1))
    return masks


def _create(store: Store, case_id: int, masks: list[BoxMask]) -> None:
    documents = [
        {
            "id": str(uuid.uuid4()),
            "kind": "create",
            "object": str(uuid.uuid4()),
            "time": int(1000 * time.time()),
            "data": {"category": None, "parent": None, "source": "manual"},
            "mask": mask,
        }
        for mask in masks
    ]
    store.append(case_id, [parse_operation(document) for document in documents], 0, "benchmark")


@contextmanager
def serving(
    folder: Path, *options: str, program: Sequence[str] = DENTASAM, encoded: bool = True
) -> Iterator[tuple[str, httpx.Client]]:
    """`dentasam label` on a folder: its address, and a client for its API.

    program: what runs in place of the `dentasam` command, with the same arguments. encoded: wait until the server has
    encoded every image.
    """
    command = [*program, "label", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"})
    try:
        assert process.stdout is not None
        addresses = (re.search(r"http://\S+token=\S+", line) for line in process.stdout)
        found = next((address for address in addresses if address), None)
        if found is None:
            sys.exit("dentasam label ended before it served anything")
        url = found.group(0)
        base, _, token = url.partition("/?token=")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=600) as client:
            while encoded:
                progress = client.get("/api/progress").json()
                if progress["encoded"] + len(progress["failed"]) >= progress["total"]:
                    break
                time.sleep(0.5)
            yield url, client
    finally:
        process.terminate()
        process.wait(timeout=60)
