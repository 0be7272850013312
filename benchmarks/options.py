"""How a benchmark was asked for, and the loop over its sides that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.status import Status

from dentasam.model.core.precision import Precision

from .machine import Machine
from .measuring import Measured, Side, measure
from .report import Report


@dataclass(frozen=True)
class Options:
    """model: an official size with random weights, a model's name or a checkpoint; None for the benchmark's own.

    quick: next to no work, to see that everything runs; its ratios mean nothing. precision: of the arithmetic of all
    sides, fp32 or bf16 by torch's autocast.
    """

    model: str | None = None
    device: str | None = None
    quick: bool = False
    precision: Precision = "fp32"

    def on(self) -> torch.device:
        # Brings PEFT along, which takes longer to import than torch; the sides of most benchmarks do without it.
        from dentasam.model.segmenter import best_device

        return torch.device(self.device) if self.device is not None else best_device()

    def report(self, title: str, **work: object) -> Report:
        """An empty report, with the machine's ceilings measured."""
        title = f"{title} (quick: the ratios mean nothing)" if self.quick else title
        return Report(title, Machine.here(self.on(), self.quick, self.precision), work)

    def note(self, text: str) -> Status:
        """A line on the terminal of what is being done."""
        return Console(stderr=True).status(text)

    def measure(self, sides: Sequence[Side], rounds: int) -> dict[str, Measured]:
        """All sides in turns, with a line on the terminal of what is being done."""
        with self.note("") as status:
            rounds = 1 if self.quick else rounds
            threads = torch.get_num_threads()
            return measure(sides, rounds, str(self.on()), threads, self.precision, status.update)
