"""Images in work at once are bounded by their pixels."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dentasam.evaluation import pixel_budget
from dentasam.evaluation.pixel_budget import PixelBudget, pixels_of


def test_small_images_are_worked_on_together_and_a_huge_one_alone() -> None:
    budget = PixelBudget(10)
    budget.take(4)
    budget.take(6)
    begun = threading.Event()

    def huge() -> None:
        with budget.taken(50):
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(huge)
        budget.give_back(4)
        assert not begun.wait(0.05)
        budget.give_back(6)
        waiting.result(timeout=30)
    assert begun.is_set()
    with budget.taken(10):
        pass


def test_an_error_gives_the_pixels_back() -> None:
    budget = PixelBudget(1)
    with pytest.raises(ValueError, match="bad"), budget.taken(1):
        raise ValueError("bad")
    budget.take(1)


def test_pixels_come_from_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "opg.png"
    Image.fromarray(np.zeros((3, 7), np.uint8)).save(path)
    assert pixels_of(path) == 21
    assert pixels_of(tmp_path / "missing.png") == 0
    released: list[bool] = []
    monkeypatch.setattr(pixel_budget, "release_freed_memory", lambda: released.append(True))
    monkeypatch.setattr(pixel_budget, "HUGE_PIXELS", 21)
    pixel_budget.return_huge(20)
    assert not released
    pixel_budget.return_huge(21)
    assert released
