"""What a benchmark found, as a table for people and as JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .machine import Machine
from .measuring import Measured

WIDTH = 160  # of a file or a pipe; a terminal has its own


@dataclass
class Report:
    """One benchmark's findings.

    work: what was measured, in words and numbers. ratios: greater is better. checks: how far the sides' answers lie
    apart. remarks: what could not be measured and what to know beside the table.
    """

    title: str
    machine: Machine
    work: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, measured: Mapping[str, Measured], group: str = "") -> None:
        """The sides as rows; one that could not be measured becomes a remark."""
        for side in measured.values():
            if side.error is not None:
                self.remarks.append(f"{side.name}: not measured ({side.error})")
            row = self.machine.under_ceiling(side.row())
            self.rows.append({"group": group, **row} if group else row)

    def ratio(self, name: str, ours: Measured, other: Measured, of: str = "median") -> None:
        """Add other / ours of the medians, of `added_bytes` or of `peak_bytes`, where both were measured."""
        if ours.error is None and other.error is None and getattr(ours, of) and getattr(other, of) is not None:
            self.ratios[name] = getattr(other, of) / getattr(ours, of)

    def agreement(self, name: str, ours: Measured, other: Measured, answer: str) -> None:
        """Add the largest difference between two sides' answers, where both were measured."""
        if answer in ours.answer and answer in other.answer:
            self.checks[name] = float(np.abs(ours.answer[answer] - other.answer[answer]).max())

    def masks_agree(self, name: str, ours: Measured, other: Measured) -> None:
        """Add the share of mask pixels, of either side, on which both agree."""
        if "logits" in ours.answer and "logits" in other.answer:
            a, b = ours.answer["logits"] > 0, other.answer["logits"] > 0
            self.checks[f"{name}: share of the masks' pixels on which they agree"] = float(
                (a & b).sum() / (a | b).sum()
            )

    def show(self, console: Console) -> None:
        """Print the table, the ratios and the machine."""
        if not console.is_terminal:
            console = Console(file=console.file, width=WIDTH)
        columns = [column for column in COLUMNS if any(column[0] in row for row in self.rows)]
        table = Table(title=self.title, caption="; ".join(f"{key} {value}" for key, value in self.work.items()))
        table.add_column("", no_wrap=True)
        for _, heading, _ in columns:
            table.add_column(heading, justify="right", no_wrap=True)
        group = ""
        for row in self.rows:
            if row.get("group", "") != group:
                group = row["group"]
                table.add_section()
                table.add_row(group, *[""] * len(columns), style="bold")
            cells = [shown(row) if key in row else "" for key, _, shown in columns]
            table.add_row(row["name"], *cells, style="dim" if "not_measured" in row else None)
        console.print(table)
        for name, value in self.ratios.items():
            console.print(f"{name}  x{value:.2f}", highlight=False)
        for name, value in self.checks.items():
            console.print(f"{name}  {value:.7g}", highlight=False)
        for remark in self.remarks:
            console.print(remark, highlight=False, markup=False)
        console.print(self.machine.line(), highlight=False)

    def write(self, path: Path) -> None:
        """The same as JSON."""
        found = {
            "machine": self.machine.as_dict(),
            "work": self.work,
            "rows": self.rows,
            "ratios": self.ratios,
            "checks": self.checks,
            "remarks": self.remarks,
        }
        path.write_text(json.dumps(found, indent=2) + "\n")


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"


def _bytes(value: float) -> str:
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


COLUMNS = (
    ("seconds", "median", lambda row: _seconds(row["seconds"])),
    ("fastest", "from – to", lambda row: f"{_seconds(row['fastest'])} – {_seconds(row['slowest'])}"),
    ("encode_seconds", "encode", lambda row: _seconds(row["encode_seconds"])),
    ("first_click_seconds", "until 1st click", lambda row: _seconds(row["first_click_seconds"])),
    ("runs", "runs", lambda row: str(row["runs"])),
    ("flop", "GFLOP", lambda row: f"{row['flop'] / 1e9:,.1f}"),
    ("flop_per_second", "GFLOP/s", lambda row: f"{row['flop_per_second'] / 1e9:,.1f}"),
    ("share_of_ceiling", "of ceiling", lambda row: f"{row['share_of_ceiling']:.0%}"),
    ("added_bytes", "added", lambda row: _bytes(row["added_bytes"])),
    ("peak_bytes", "peak", lambda row: _bytes(row["peak_bytes"])),
    ("p50_ms", "p50, ms", lambda row: f"{row['p50_ms']:.0f}"),
    ("p95_ms", "p95, ms", lambda row: f"{row['p95_ms']:.0f}"),
    ("share_of_clicks", "clicks", lambda row: f"{row['share_of_clicks']:.2%}"),
)
