"""Too little memory is one line that names the recipe; other errors stay what they are."""

import errno
from pathlib import Path

import pytest
import torch

from dentasam.errors import RecipeError
from dentasam.training.run.memory_line import memory_line
from dentasam.training.run.training_run import TrainingRun

from ..small_run import small_run

OF_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "),
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]


@pytest.mark.parametrize("error", OF_MEMORY, ids=repr)
def test_too_little_memory_is_one_line(error: Exception) -> None:
    says = r"^recipe\.yaml: the memory is not enough; lower workers"
    with pytest.raises(RecipeError, match=says), memory_line(Path("recipe.yaml")):
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.EIO, "Input/output error")], ids=repr)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, memory_line(Path("recipe.yaml")):
        raise error
    assert caught.value is error


def test_a_step_without_memory_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(TrainingRun, "step", step)
    with pytest.raises(RecipeError, match=r"recipe\.yaml: the memory is not enough"):
        small_run(tmp_path / "run")
