"""A labelling workspace with operations of each kind in its database; and a run folder of `dentasam evaluate`."""

import json
import os
import re
import sqlite3
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.evaluation.evaluate import evaluate
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.log.operations import parse_operation
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.settings import WorkspaceSettings

from .datasets import build_coco
from .models import small_segmenter

DATABASE = "coco.dentasam/labels.sqlite3"
_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)?")


def _square(x: int, y: int, side: int) -> BoxMask:
    return BoxMask(x, y, np.ones((side, side), bool))


def _operation(number: int, kind: str, object: str | None, data: dict[str, Any], **more: Any) -> Any:
    id = f"00000000-0000-4000-8000-{number:012d}"
    time = 1_700_000_000_000 + number
    return parse_operation({"id": id, "kind": kind, "object": object, "time": time, "data": data, **more})


def build_workspace(folder: Path) -> None:
    """A COCO file's workspace: its objects as pre-annotations, and two made by hand."""
    draw = Random(11)
    with patch("os.urandom", draw.randbytes), patch("time.time", lambda: 1_700_000_000.0):
        build_coco(folder)
        with open_workspace(folder / "coco.json") as (workspace, store, _):
            case = store.cases()[0]
            operations = [
                _operation(
                    1, "create", "00000000-0000-4000-9000-000000000001", {"category": "11", "source": "manual"}
                ),
                _operation(
                    2,
                    "mask",
                    "00000000-0000-4000-9000-000000000001",
                    {"tool": "brush"},
                    mask=_square(3, 4, 20),
                ),
            ]
            store.append(case.id, operations, case.revision, "me")
            store.add_comment(case.id, "me", "is this 11?")
            WorkspaceSettings().save(workspace.root)
            root = workspace.root
        annotators = Annotators.of(root)
        annotators.add("Jane", "correct horse")
    _same_bytes(folder / DATABASE)
    assert os.path.exists(root / "annotators.yaml")


def _same_bytes(path: Path) -> None:
    """Writes the database again with its times replaced, so that it has the same bytes whenever it is made."""
    old = sqlite3.connect(path)
    script = _TIME.sub("2024-02-29T12:00:00.000+00:00", "\n".join(old.iterdump()))
    version = old.execute("PRAGMA user_version").fetchone()[0]
    application = old.execute("PRAGMA application_id").fetchone()[0]
    old.close()
    for left in path.parent.glob(path.name + "*"):
        left.unlink()
    new = sqlite3.connect(path)
    new.executescript(script)
    new.execute(f"PRAGMA user_version = {int(version)}")
    new.execute(f"PRAGMA application_id = {int(application)}")
    new.commit()
    new.execute("VACUUM")
    new.close()


def build_run(folder: Path) -> None:
    """Two runs of the same model on one image."""
    (folder / "data").mkdir()
    build_coco(folder / "data")
    dataset = Dataset.load(folder / "data" / "coco.json")
    run = folder / "run"
    evaluate(small_segmenter(), dataset, clicks=2, out=run, limit=1, windows=False)
    (run / "report.html").unlink(missing_ok=True)
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    metrics["seconds"] = dict.fromkeys(metrics["seconds"], 0.25)
    (run / "metrics.json").write_text(json.dumps(metrics), "utf-8")
