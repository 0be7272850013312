"""The progress of long work: a bar on a terminal, and a plain line now and then elsewhere.

A log gets few lines, each complete in itself: how much is done, how fast, and the time that is left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from dentasam.visible_text import printable

# Work that is done before the first line is due prints none.
LINE_INTERVAL_SECONDS, FIRST_LINE_SECONDS = 30.0, 5.0


class Update(Protocol):
    """Takes the number of units that are done, the number in all, and a note to show with them."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


class Due:
    """A timer for lines: the first is due `first` seconds after the start, each further one `every` seconds later."""

    def __init__(
        self,
        every: float = LINE_INTERVAL_SECONDS,
        first: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every, self._clock = every, clock
        self._next = clock() + (every if first is None else first)

    def now(self) -> bool:
        """True once, and then False until the next line is due."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._every
        return True


class PlainProgress:
    """An `Update` that prints a line when one is due, and a last line at the end if there was one before.

    what: the name of the work. unit: what is counted, in the plural. say: takes a line. first: seconds before the
    first line; with 0 there is a line after the first unit and one at the end. already: units done before the start.
    """

    def __init__(
        self,
        what: str,
        unit: str,
        say: Callable[[str], None],
        *,
        first: float = FIRST_LINE_SECONDS,
        every: float = LINE_INTERVAL_SECONDS,
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
        # No line where nothing was done since the last one.
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
    first: float = FIRST_LINE_SECONDS,
    already: int = 0,
    transient: bool = False,
) -> Iterator[Update]:
    """Shows the progress of the work inside the `with` block on the console, stderr if left out.

    first, already: as for `PlainProgress`. transient: the bar is removed at the end.
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
        task = bar.add_task(printable(what), total=None, completed=already, note="")

        def update(done: int, total: int, note: str = "") -> None:
            speed = bar.tasks[task].finished_speed or bar.tasks[task].speed
            parts = [pace(speed, unit) if speed else "", note]
            bar.update(task, total=total, completed=done, note=printable(" · ".join(part for part in parts if part)))

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
    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
