"""From the labelling tool to an adapter: what `dentasam label` exports, `dentasam train` takes as it is."""

import json
import math
from pathlib import Path
from uuid import uuid4

import pytest
import torch

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.log.operations import parse_operations
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.adapters.folder import AdapterCard
from dentasam.model.adapters.loading import load_adapter
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.sam_hq import build_sam_hq

from ..conftest import Command

TEETH = 3
ONE_STEP = (
    *("--set", "schedule.iterations=2", "--set", "schedule.corrections=1", "--set", "schedule.mask_only=0"),
    *("--set", "schedule.iterations_drawn={}", "--set", "object_windows.share=0"),
    *("--set", "crop.size=64", "--set", "crop.share=1", "--set", "objects_per_image=1", "--set", "workers=0"),
    *("--set", "budget.epochs=null", "--set", "budget.steps=1", "--set", "batch_images=1"),
    *("--set", "validation.images=1", "--set", "validation.clicks=1", "--set", "precision=fp32"),
)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three X-rays: one with labelled teeth and done, one done without anything on it, one labelled but not done."""
    drawn = Dataset.load(write_phantoms(tmp_path / "phantoms", count=3, seed=1, width=512, height=64))
    first, bare, unfinished = drawn.images
    folder = first.path.parent
    with open_workspace(folder) as (_, store, _):
        ids = {case.name: case.id for case in store.cases()}
        for image, teeth, status in ((first, TEETH, "done"), (bare, 0, "done"), (unfinished, 1, "needs-review")):
            operations = [
                {
                    "id": str(uuid4()),
                    "kind": "create",
                    "object": str(uuid4()),
                    "time": 1,
                    "data": {"source": "manual", "category": known.category},
                    "mask": BoxMask.from_mask(known.mask(image.height, image.width)),
                }
                for known in image.objects[:teeth]
            ]
            done = {"id": str(uuid4()), "kind": "status", "object": None, "time": 2, "data": {"status": status}}
            store.append(ids[image.path.name], parse_operations([*operations, done]), 0, "anna")
    return folder


def test_an_adapter_is_trained_on_what_was_labelled(dentasam: Command, images: Path, tmp_path: Path) -> None:
    labels, base, out = images / "labels.json", tmp_path / "base.safetensors", tmp_path / "run"
    torch.manual_seed(0)
    save_checkpoint(build_sam_hq("vit_tiny"), base)

    exported = dentasam("label", images, "--export", "coco", "--out", labels, "--finished")
    assert exported.returncode == 0, exported.stderr
    assert [len(image.objects) for image in Dataset.load(labels).images] == [TEETH, 0]

    command = ("train", labels, "--val", labels, "--recipe", "encoder+decoder", "--model", base, "--cpu")
    done = dentasam(*command, "--out", out, *ONE_STEP)
    assert done.returncode == 0, done.stderr
    assert f"{out / 'adapter'}: step 1 of 1" in done.stdout
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["step", "validation"]
    assert all(math.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
    model, info = load_model(base)
    assert isinstance(load_adapter(model, out / "adapter", info.sha256), AdapterCard)
