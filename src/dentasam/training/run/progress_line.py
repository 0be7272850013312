"""What a run shows while it trains: a live line on a terminal, or a plain line now and then in a log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from dentasam.progress import Due, PlainProgress, duration

T = TypeVar("T")
# Between two plain lines, and steps that the figures are averages of.
_PLAIN_SECONDS = 15.0
_AVERAGED_STEPS = 20


class ProgressLine:
    """Images per second, loss, Dice@1, Dice@last and the time left, averaged over the last 20 steps."""

    def __init__(self, total_steps: int, first_step: int, minutes: float | None, console: Console) -> None:
        self._total = total_steps
        self._limit = None if minutes is None else minutes * 60
        self._console = console
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=_AVERAGED_STEPS)
        self._times: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=_AVERAGED_STEPS + 1)
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

    def __enter__(self) -> ProgressLine:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, step: int, images: int, loss: float, first: float, last: float, seconds: float) -> None:
        """Show a finished step: its images, its mean loss, its Dice after the first and the last iteration.

        step: counted from 1. seconds: the run's time so far.
        """
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
        """The figures of the last steps as text; seconds: the run's time so far."""
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
        """The items; where there is no live bar, a plain line now and then says how many are done."""
        update = PlainProgress(what, "images", self.say, first=_PLAIN_SECONDS)
        for done, item in enumerate(items, start=1):
            yield item
            if not self._console.is_terminal:
                update(done, total)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)
