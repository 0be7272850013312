"""No reader of weights, states or inputs waits for a pipe in the place of its file."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dentasam.errors import AdapterError, ChartError, CheckpointError, DentasamError, OutputError
from dentasam.model.adapters.folder import WEIGHTS as ADAPTER_WEIGHTS
from dentasam.model.adapters.loading import _read_weights
from dentasam.model.chart import head as chart_head
from dentasam.model.checkpoints.reading import read_checkpoint
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.onnx.graph_check import check_graph
from dentasam.model.onnx.loading import load_onnx
from dentasam.training.chart.view_store import read_targets, read_view
from dentasam.training.run.saved.run_inputs import INPUTS, RunInputs
from dentasam.training.run.saved.state_file import previous_of, read_state

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes among files")

SECONDS = 5
# The name of the file in a folder, what reads it, and its error.
READERS: dict[str, tuple[str, Callable[[Path], object], type[DentasamError]]] = {
    "checkpoint": ("a.pth", read_checkpoint, CheckpointError),
    "checkpoint to be exported": ("a.pth", load_onnx, CheckpointError),
    "adapter": (ADAPTER_WEIGHTS, lambda path: _read_weights(path.parent), AdapterError),
    "embedding": ("a.safetensors", ImageEmbedding.load, CheckpointError),
    "state": ("a.pt", read_state, OutputError),
    "previous state": (previous_of(Path("a.pt")).name, lambda path: read_state(path.with_name("a.pt")), OutputError),
    "chart head": (chart_head.WEIGHTS, lambda path: chart_head.load_head(path.parent), ChartError),
    "card of a chart head": (chart_head.CARD, lambda path: chart_head.ChartCard.read(path.parent), ChartError),
    "graph": ("encoder.onnx", check_graph, CheckpointError),
    "view": ("a.safetensors", read_view, OutputError),
    "targets of a view": ("a.safetensors", read_targets, OutputError),
    "inputs of a run": (INPUTS, lambda path: RunInputs.read(path.parent), OutputError),
}


@contextmanager
def ended_after(seconds: int, pipe: Path) -> Iterator[None]:
    """Ends the pipe after a while, from outside: a library that waits for it lets no handler and no thread run."""
    script = 'sleep "$0"; : > "$1"'
    with subprocess.Popen(["sh", "-c", script, str(seconds), str(pipe)], start_new_session=True) as writer:
        try:
            yield
            assert writer.poll() is None, "the pipe was waited for"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(writer.pid, signal.SIGKILL)


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_not_waited_for(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, read, error = READERS[reader]
    os.mkfifo(tmp_path / name)
    monkeypatch.setattr(chart_head.ChartCard, "read", _read_or_any(chart_head.ChartCard.read))
    with ended_after(SECONDS, tmp_path / name), pytest.raises(error) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def _read_or_any(read: Callable[[Path], object]) -> Callable[[Path], object]:
    """Without a card, as if there was one: the weights are what is read."""

    def reading(folder: Path) -> object:
        return read(folder) if (folder / chart_head.CARD).exists() else None

    return reading
