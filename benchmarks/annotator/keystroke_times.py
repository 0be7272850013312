"""What an act costs a person, and the account of what a case has cost: the keystroke-level model.

The annotator is an expert who makes no slips, as the model assumes, with one hand for the mouse and the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np


class Time(NamedTuple):
    seconds: float
    what: str
    source: str


KLM = "Card, Moran & Newell 1983, The Psychology of Human-Computer Interaction, ch. 8 (first: CACM 23(7), 1980)"
TIMES = {
    "M": Time(1.35, "a mental act: find the next tooth and its number; judge an outline and decide what next", KLM),
    "P": Time(1.1, "pointing at a place of the picture", KLM),
    "B": Time(0.1, "pressing or releasing a mouse button", "Kieras 1993, Using the Keystroke-Level Model"),
    "K": Time(0.2, "a key, Shift included, of an average skilled typist", KLM),
    "H": Time(0.4, "moving the hand between mouse and keys", KLM),
    "glance": Time(
        0.4,
        "reading a number beside its tooth: an eye movement 0.23, perceiving 0.10, deciding 0.07",
        "Card, Moran & Newell 1983, ch. 2, the Model Human Processor",
    ),
    "steering": Time(
        0.078,
        "each tunnel width of a stroke's way; its intercept of -0.188 s is left out",
        "Accot & Zhai 1997, Beyond Fitts' law, CHI, straight tunnels: 78 ms x length / width",
    ),
}
M, P, B, K, H, GLANCE, STEERING = (time.seconds for time in TIMES.values())

Kind = Literal["looking", "pointing", "painting", "typing", "homing"]
KINDS: tuple[Kind, ...] = ("looking", "pointing", "painting", "typing", "homing")
# What a stroke costs beside its way: deciding on it, pointing at its start, pressing and releasing the button.
STROKE = M + P + 2 * B


@dataclass
class Spent:
    """Seconds of a case by kind. waits: seconds that the page let the annotator wait, which are apart from all kinds.

    acts: clicks and strokes at masks.
    """

    seconds: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    waits: float = 0.0
    acts: int = 0
    hand: Literal["mouse", "keys"] = "mouse"

    @property
    def total(self) -> float:
        """Without the waits."""
        return sum(self.seconds.values())

    def look(self, times: int = 1) -> None:
        self.seconds["looking"] += times * M

    def glance(self) -> None:
        self.seconds["looking"] += GLANCE

    def click(self) -> None:
        self._home("mouse")
        self.seconds["pointing"] += P + 2 * B

    def stroke(self, steering: float) -> None:
        """steering: seconds on the way."""
        self.click()
        self.seconds["painting"] += steering

    def keys(self, count: int = 1) -> None:
        if count > 0:
            self._home("keys")
            self.seconds["typing"] += count * K

    def wait(self, seconds: float) -> None:
        self.waits += seconds

    def _home(self, at: Literal["mouse", "keys"]) -> None:
        if self.hand != at:
            self.hand = at
            self.seconds["homing"] += H


def keys_in(shortcut: str) -> int:
    """How many keys a shortcut is, such as "Shift+N"."""
    return shortcut.count("+") + 1 if len(shortcut) > 1 else 1


def steering_seconds(path: np.ndarray, widths: np.ndarray) -> float:
    """The time for a stroke's way by the integral form of the steering law: STEERING x the integral of ds / width.

    path: (n, 2) x, y. widths: (n,) of the tunnel at each of these points, in the same unit, which cancels out.
    """
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    inverse = 1 / np.asarray(widths, float)
    return float(STEERING * (steps * (inverse[1:] + inverse[:-1]) / 2).sum())
