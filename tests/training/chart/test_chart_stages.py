"""The sets of teeth that a run keeps: read as they were written, and made again where they are damaged."""

from pathlib import Path

import numpy as np
import pytest

from dentasam.files.sealed_file import write_sealed
from dentasam.training.chart.chart_stages import _kept_sets, _write_sets
from dentasam.training.chart.number_sets import NumberSet


def test_kept_sets_are_read_unless_they_unpack_to_more_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.npz"
    rows = np.arange(3)
    _write_sets(path, [NumberSet(np.zeros((3, 4)), np.zeros((3, 24, 16)), rows > 0, rows, rows, 512)])
    (kept,) = _kept_sets(path) or []
    assert np.array_equal(kept.seen, rows > 0)
    assert kept.width == 512
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    write_sealed(path, lambda file: np.savez_compressed(file, **arrays))
    monkeypatch.setattr(np, "load", lambda *given: pytest.fail("it was read"))
    assert _kept_sets(path) is None
