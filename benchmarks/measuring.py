"""Timing two or more sides against each other.

Each side lives in a process of its own, so that its peak memory is its own, and the sides take turns, so that a
machine that slows down slows all of them. A side's first run warms it up; its memory is watched and its
floating-point operations are counted there, and its time is left out.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

CHILD = Path(__file__).parent / "child.py"


@dataclass(frozen=True)
class Side:
    """One way of doing the work.

    setup: `file:function` in this package; called as function(device=..., **arguments), returns a `Work`.
    rounds: how often it is timed at most; None as often as the others. keep_freed: let malloc keep freed memory, as
    ours does while it trains and serves. precision: fp32 or bf16, where it is not that of the run.
    """

    name: str
    setup: str
    arguments: dict[str, Any] = field(default_factory=dict)
    rounds: int | None = None
    keep_freed: bool = True
    precision: str | None = None


@dataclass
class Work:
    """What a side's setup prepared.

    run: does the work once. warm: warms up in its place, where once is too long to throw away; memory and operations
    are then watched in the first timed run. bytes: least traffic, weights and inputs and outputs each moved once.
    answer: arrays to compare between sides. facts: further numbers about the last run.
    """

    run: Callable[[], object]
    warm: Callable[[], object] | None = None
    bytes: int | None = None
    answer: Callable[[], dict[str, np.ndarray]] | None = None
    facts: Callable[[], dict[str, float]] | None = None


@dataclass
class Measured:
    """A side after its rounds. `error` says why there are none.

    added_bytes: memory that a run needed on top of what lay there before it. peak_bytes: all that the process held.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    flop: int | None = None
    bytes: int | None = None
    added_bytes: int | None = None
    peak_bytes: int | None = None
    answer: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    precision: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def row(self) -> dict[str, Any]:
        """The side as a row of the report."""
        if self.error is not None:
            return {"name": self.name, "not_measured": self.error}
        row: dict[str, Any] = {
            "name": self.name,
            "seconds": self.median,
            "fastest": min(self.seconds),
            "slowest": max(self.seconds),
            "runs": len(self.seconds),
        }
        for name in ("precision", "flop", "bytes", "added_bytes", "peak_bytes"):
            if getattr(self, name) is not None:
                row[name] = getattr(self, name)
        return row | self.facts


class Missing(Exception):
    """A library that one side needs is not installed; the others are still measured."""


class SideProcess:
    """The far end of a side: a process that prepares its work and runs it on request."""

    def __init__(self, side: Side, device: str, threads: int, precision: str) -> None:
        self.side, self.measured = side, Measured(side.name, precision=side.precision)
        self.stderr: TextIO = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `end`)
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
        )
        self.ask(
            setup=side.setup,
            arguments=side.arguments,
            keep_freed=side.keep_freed,
            device=device,
            threads=threads,
            precision=side.precision or precision,
        )

    @property
    def usable(self) -> bool:
        return self.measured.error is None

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and wait; a side that has died or failed keeps the reason as its error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        self.measured.error = answer.get("error")
        return answer

    def turn(self) -> None:
        """One timed run."""
        answer = self.ask(run=True)
        if not self.usable:
            return
        self.measured.seconds.append(answer["seconds"])
        for name in ("flop", "bytes", "added_bytes", "peak_bytes"):
            if answer.get(name) is not None:
                setattr(self.measured, name, answer[name])
        self.measured.facts = answer["facts"]

    def end(self) -> None:
        """Fetch the answer and let the process go, if it has not gone already."""
        if self.stderr.closed:
            return
        if self.usable:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "answer.npz"
                self.ask(answer=str(path))
                if path.exists():
                    with np.load(path) as arrays:
                        self.measured.answer = dict(arrays)
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.stderr.close()

    def _last_words(self) -> str:
        code = self.process.wait()
        if code == -9:
            return "ended by the system, most likely for want of memory"
        self.stderr.seek(0)
        lines = self.stderr.read().strip().splitlines()
        return lines[-1] if lines else f"ended with code {code}"


def measure(
    sides: Sequence[Side],
    rounds: int,
    device: str,
    threads: int,
    precision: str = "fp32",
    note: Callable[[str], object] = lambda text: None,
) -> dict[str, Measured]:
    """Run all sides in turns; what came of each, by name. `note` hears what is being done."""
    processes: list[SideProcess] = []
    try:
        for side in sides:
            note(f"{side.name}: preparing")
            processes.append(SideProcess(side, device, threads, precision))
        for process in processes:
            if process.usable:
                note(f"{process.side.name}: warming up")
                process.ask(warm=True)
        for turn in range(rounds):
            for process in processes:
                if process.usable and turn < (process.side.rounds or rounds):
                    note(f"{process.side.name}: run {turn + 1}")
                    process.turn()
                if turn + 1 == (process.side.rounds or rounds):
                    process.end()  # its memory is the others' from here
    finally:
        for process in processes:
            process.end()
    return {process.side.name: process.measured for process in processes}
