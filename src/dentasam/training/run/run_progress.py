"""What a run shows: a live line on a terminal, plain lines in a log, and TensorBoard on request."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from dentasam.errors import OutputError
from dentasam.progress import Due, PlainProgress, duration
from dentasam.training.run.run_state import METRICS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

T = TypeVar("T")
_PLAIN_SECONDS = 15.0
_WINDOW = 20


class TrainingProgress:
    """Images per second, loss, Dice@1, Dice@last and the time left. Averages run over the last 20 steps."""

    def __init__(self, total_steps: int, first_step: int, minutes: float | None, console: Console) -> None:
        self._total = total_steps
        self._limit = None if minutes is None else minutes * 60
        self._console = console
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=_WINDOW)
        self._times: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=_WINDOW + 1)
        self._images = 0
        self._due = Due(_PLAIN_SECONDS)
        self._bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total_steps, completed=first_step)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, step: int, images: int, loss: float, first: float, last: float, seconds: float) -> None:
        """Show a finished step: the images in it, mean loss, Dice after its first and last iteration."""
        self._recent.append((loss, first, last))
        self._images += images
        self._times.append((time.monotonic(), self._images))
        line = self.line(step, seconds)
        self._bar.update(self._task, completed=step, description=line)
        if self._console.is_terminal:
            return
        if self._due.now() or step == self._total:
            self._console.print(f"step {step}/{self._total}  {line}", highlight=False, soft_wrap=True)

    def line(self, step: int, seconds: float) -> str:
        """The figures of the last steps as text; `seconds` is the run's time so far."""
        loss, first, last = (sum(values) / len(self._recent) for values in zip(*self._recent, strict=True))
        (started, before), (ended, after) = self._times[0], self._times[-1]
        span, steps = max(ended - started, 1e-9), len(self._times) - 1
        left = (self._total - step) * span / max(steps, 1)
        if self._limit is not None:
            left = min(left, max(0.0, self._limit - seconds))
        return (
            f"{(after - before) / span:.2f} images/s  loss {loss:.4f}  Dice@1 {first:.3f}  "
            f"Dice@last {last:.3f}  {duration(left)} left"
        )

    def counted(self, what: str, items: Iterator[T], total: int) -> Iterator[T]:
        """The items, and where no bar can move a line now and then of how many are done: for a long validation."""
        update = PlainProgress(what, "images", self.say, first=_PLAIN_SECONDS)
        for done, item in enumerate(items, start=1):
            yield item
            if not self._console.is_terminal:
                update(done, total)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)


class MetricsLog:
    """The run's rows as lines of metrics.jsonl, and for TensorBoard where it is wanted. To be used in a `with`."""

    def __init__(self, out: Path, first_step: int, tensorboard: bool) -> None:
        """Raises OutputError where TensorBoard is wanted and not installed."""
        self._board = TensorBoard(out / "tensorboard", first_step + 1) if tensorboard else None
        self._file = (out / METRICS).open("a", encoding="utf-8", buffering=1)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *fault: object) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, row: dict[str, Any]) -> None:
        """Add one row, at once."""
        self._file.write(json.dumps(row) + "\n")
        if self._board is not None:
            self._board.write(row)


class TensorBoard:
    """Scalars for TensorBoard under the run's folder."""

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        """Raises OutputError where TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise OutputError("TensorBoard is not installed; pip install 'dentasam[tracking]'") from None
        self._writer: SummaryWriter = SummaryWriter(str(folder), purge_step=purge_step)

    def write(self, row: dict[str, Any]) -> None:
        """One line of metrics.jsonl."""
        for name, value in row.items():
            if name == "dice_at_clicks":
                for click, dice in enumerate(value, start=1):
                    self._scalar(f"validation/dice_at_{click}", dice, row["step"])
            elif name != "step" and isinstance(value, int | float):
                self._scalar(f"{row['kind']}/{name}", value, row["step"])

    def close(self) -> None:
        self._writer.close()

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)
