"""How far long work is: a bar on a terminal, and a plain line now and then anywhere else.

A log that nobody watches gets few lines, each whole: how much is done, how fast, and the time that is left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

# Seconds between two lines, and before the first one: short work says nothing of itself.
EVERY, FIRST = 30.0, 5.0


class Update(Protocol):
    """Takes how many units are done, of how many, and what else to show."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


class Due:
    """Whether the next line is due: `first` seconds after the start, then `every` seconds after the one before."""

    def __init__(
        self, every: float = EVERY, first: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every, self._clock = every, clock
        self._next = clock() + (every if first is None else first)

    def now(self) -> bool:
        """Answers yes once, and then no until the next line is due."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._every
        return True


class PlainProgress:
    """An `Update` that says a line when one is due, and a last one at the end if there was any before.

    what: is being done. unit: what is counted, in the plural. say: takes a line. first: seconds before the first
    line, 0 for a line after the first unit and at the end in any case. already: units that were done before.
    """

    def __init__(
        self,
        what: str,
        unit: str,
        say: Callable[[str], None],
        *,
        first: float = FIRST,
        every: float = EVERY,
        already: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._unit, self._say, self._clock = what, unit, say, clock
        self._due = Due(every, first, clock)
        self._started = clock()
        self._already = already
        self._said: int | None = already if first == 0 else None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        ended = done >= total
        # Work that stands still has no news.
        if done == self._said or not (self._due.now() or (ended and self._said is not None)):
            return
        self._said = done
        self._say(self._line(done, total, note))

    def _line(self, done: int, total: int, note: str) -> str:
        spent = max(self._clock() - self._started, 1e-9)
        rate = (done - self._already) / spent
        rest = f"in {duration(spent)}" if done >= total else f"{duration((total - done) / rate)} left" if rate else ""
        parts = [f"{self._what}: {done}/{total} {self._unit}", pace(rate, self._unit), rest, note]
        return ", ".join(part for part in parts if part)


@contextmanager
def shown(
    what: str,
    unit: str,
    console: Console | None = None,
    *,
    first: float = FIRST,
    already: int = 0,
    transient: bool = False,
) -> Iterator[Update]:
    """Shows the work inside the `with` on the console, stderr if left out.

    first, already: as for `PlainProgress`. transient: the bar goes at the end.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress(what, unit, lambda line: _print(console, line), first=first, already=already)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=transient) as bar:
        task = bar.add_task(what, total=None, completed=already, note="")

        def update(done: int, total: int, note: str = "") -> None:
            speed = bar.tasks[task].finished_speed or bar.tasks[task].speed
            parts = [pace(speed, unit) if speed else "", note]
            bar.update(task, total=total, completed=done, note=" · ".join(part for part in parts if part))

        yield update


def pace(rate: float, unit: str) -> str:
    """Units a second, or seconds a unit where that is the greater number."""
    if rate <= 0:
        return ""
    return f"{rate:.2f} {unit}/s" if rate >= 0.5 else f"{1 / rate:.1f} s for each of the {unit}"


def duration(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
