"""Tags that measures suggest, and writing them into the datasets of a check."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from dentasam.data.quality.check import check_datasets
from dentasam.data.quality.pixels.image_measures import ImageMeasures
from dentasam.data.quality.reports.write_suggested import write_suggested_tags
from dentasam.data.quality.suggested_tags import suggested_tags

from .phantom_set import write_set

SOUND = ImageMeasures(0.66, 0.004, 0.1, 0.02, 0.004, 0.08, 0.04, (0, 0, 0, 0))


@pytest.mark.parametrize(
    ("change", "tags"),
    [
        ({}, ()),
        ({"sharpness": 0.5}, ("blurred",)),
        ({"root_contrast": 0.03}, ("ambiguous-boundary",)),
        ({"root_contrast": None, "overlap": None}, ()),
        ({"overlap": 0.1}, ("overlap",)),
        ({"metal": 0.1}, ("artifact",)),
        ({"step": 0.2}, ("artifact",)),
        ({"ghost": 0.2, "sharpness": 0.5}, ("blurred", "artifact")),
    ],
)
def test_each_measure_has_its_tag(change: dict[str, float | None], tags: tuple[str, ...]) -> None:
    assert suggested_tags(replace(SOUND, **change), 0.6) == tags  # type: ignore[arg-type]


def test_tags_go_into_their_own_dataset(tmp_path: Path) -> None:
    sound = write_set(tmp_path, "sound", [1, 2])
    blurred = write_set(tmp_path, "blurred", [3, 4], lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 2))
    before = json.loads(blurred.read_text())
    check = check_datasets([sound, blurred])
    assert {tag for image in check.images if image.dataset == sound for tag in image.tags} <= {"overlap"}
    written = write_suggested_tags(check)
    assert written[blurred]["blurred"] == 2
    after = json.loads(blurred.read_text())
    assert all("blurred" in image["tags"] for image in after["images"])
    for image, old in zip(after["images"], before["images"], strict=True):
        image["tags"] = old["tags"]
    assert after == before
    assert sum(write_suggested_tags(check)[blurred].values()) == 0
