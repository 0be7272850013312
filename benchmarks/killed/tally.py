"""What is counted of the kills of one kind of work."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass
class Tally:
    """kills: of processes that were at work. finished: runs that ended before their kill, or that went on to the end.

    checked: things that had to be there and were looked at. lost: each that was not there, was there twice, was
    damaged, or was left behind, in a line.
    """

    name: str
    kills: int = 0
    finished: int = 0
    checked: int = 0
    lost: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return asdict(self)


class Work(Protocol):
    """Work that goes on over many kills."""

    tally: Tally

    def prepare(self) -> None:
        """Makes what the work needs, and does it once without a kill, as the truth to compare with."""

    def attack(self) -> None:
        """Does or goes on with the work, kills it at a random moment, and checks what is there."""

    def finish(self) -> None:
        """Goes on to the end without a kill, and checks everything."""
