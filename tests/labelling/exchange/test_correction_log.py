import json
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from dentasam.labelling.exchange.correction_log import log_lines
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import block
from .conftest import FILLING, GONE, MODEL, PROMPTS, TOOTH, TOOTH_MASK


def decoded(mask: dict[str, Any]) -> np.ndarray:
    return coco_mask.decode(mask).astype(bool)


def test_the_log_tells_proposal_strokes_and_final_mask_of_every_object(
    labelled_store: Store, labelled_workspace: Workspace
) -> None:
    lines = list(log_lines(labelled_store, labelled_workspace))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    entries = {entry["object"]: entry for entry in map(json.loads, lines)}
    assert len(entries) == 7
    tooth = entries[TOOTH]
    assert (tooth["image"], tooth["category"], tooth["annotators"], tooth["accepted"]) == (
        "a.png",
        "36",
        ["ann"],
        True,
    )
    assert tooth["prompts"] == PROMPTS
    assert tooth["model"] == MODEL | {"name": "base.pth", "score": 0.75}
    assert tooth["prediction"]["prompts"] == PROMPTS
    assert np.array_equal(decoded(tooth["prediction"]["mask"]), block(5, 5, 20, 20))
    assert np.array_equal(decoded(tooth["final"]), TOOTH_MASK)
    assert np.array_equal(decoded(tooth["painted"]), block(20, 5, 30, 20))
    assert not decoded(tooth["erased"]).any()
    assert [(step["tool"], step["undone"]) for step in tooth["steps"]] == [
        ("click", False), ("brush", False), ("eraser", True), ("eraser", False),
    ]  # fmt: skip
    assert tooth["steps"][1]["stroke"]["points"] == [[5.0, 5.0], [9.0, 9.0]]
    assert tooth["steps"][3]["undoes"] == tooth["steps"][2]["operation"]
    assert tooth["started"] <= tooth["finished"]
    assert tooth["steps"][0]["time"] < tooth["steps"][1]["time"]
    assert entries[GONE]["deleted"]
    assert entries[FILLING]["prediction"] is None
    assert entries[FILLING]["parent"] == TOOTH
