"""Two processes, each with half of every batch, learn what one process learns from the whole of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .. import small_run as script
from ..small_run import small_run

# With plain SGD a difference in the gradient is a difference in the weights of its own size. Three images a batch
# give the processes 2 and 1, so that their means must be weighted.
SETTINGS = (
    "optimiser.name=sgd",
    "optimiser.lr=0.05",
    "optimiser.weight_decay=0.1",
    "lora.dropout=0.2",
    "batch_images=3",
    "budget.steps=4",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    small_run(folder / "one", *SETTINGS)
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "tests.training.small_run", str(folder / "two"), *SETTINGS),
        ],
        cwd=Path(script.__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # torchrun would set and announce it otherwise
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr[-3000:]
    return folder / "one", folder / "two"


def rows(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_losses_and_validation_are_equal(folders: tuple[Path, Path]) -> None:
    one, two = map(rows, folders)
    assert [row["kind"] for row in one] == [row["kind"] for row in two]
    for first, second in zip(one, two, strict=True):
        assert first["objects"] == second["objects"]
        for name in ("loss", "gradient_norm", "score", "dice_first", "dice_last"):
            if name in first:
                assert second[name] == pytest.approx(first[name], rel=1e-4, abs=1e-6), (name, first["step"])


def test_weights_are_equal(folders: tuple[Path, Path]) -> None:
    one, two = (torch.load(folder / "last.pt", weights_only=True)["weights"] for folder in folders)
    assert one.keys() == two.keys()
    moved = 0
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-6, msg=name)
        moved += int(name.endswith("lora_B.default.weight") and bool(tensor.any()))
    assert moved > 10  # equal because they learnt the same, not because nothing moved
