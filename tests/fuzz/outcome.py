"""What became of a case: read, refused in one line, or a finding."""

import re
from dataclasses import dataclass

from dentasam.cli.console import DONE, WRONG_USE

MAX_LINE = 500
MAX_SECONDS = 5.0
MAX_BYTES = 2 << 30
# A check prints a line for each thing that is wrong, and ends with one that refers to them.
REFERS_ABOVE = "listed above"


@dataclass(frozen=True)
class Ran:
    """A finished process. code: exit code, or None where a signal ended it. peak: bytes of memory at their most."""

    code: int | None
    signal: int | None
    seconds: float
    peak: int
    stdout: str
    stderr: str
    digest: str | None


@dataclass(frozen=True)
class Outcome:
    """What a case came to. kind: read, refused, or the kind of finding; detail: its line."""

    kind: str
    detail: str

    @property
    def is_finding(self) -> bool:
        return self.kind not in ("read", "refused")


def judge(ran: Ran, names: tuple[str, ...], expected: str | None) -> Outcome:
    """What a case came to.

    names: one of them must be in the line that refuses the file, or in what is listed above it. expected: the digest
    of the example, where whatever is read without a word must be equal to it.
    """
    lines = [line for line in ran.stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if ran.signal is not None:
        return Outcome("stopped", f"signal {ran.signal} after {ran.seconds:.1f} s of processor time; {last[:200]}")
    if ran.code not in (DONE, WRONG_USE):
        return Outcome("internal error", f"exit {ran.code}: {last[:300]}")
    if "Traceback (most recent call last)" in ran.stderr:
        return Outcome("traceback", f"exit {ran.code}: {last[:300]}")
    if ran.seconds > MAX_SECONDS:
        return Outcome("slow", f"{ran.seconds:.1f} s of processor time; {last[:200]}")
    if ran.peak > MAX_BYTES:
        return Outcome("memory", f"{ran.peak / 1e9:.1f} GB; {last[:200]}")
    for line in lines:
        if len(line) > MAX_LINE:
            return Outcome("long line", f"{len(line)} characters: {line[:200]}")
        if not _is_plain(line):
            return Outcome("control characters", repr(line[:200]))
    if ran.code == WRONG_USE:
        own = [line for line in lines if line.startswith("dentasam: ") and "warning: " not in line]
        if not own:
            return Outcome("no line", f"exit 2 with {last[:200]!r}")
        listed = ran.stdout.splitlines() if any(REFERS_ABOVE in line for line in own) else []
        if not any(name in line for line in [*own, *listed] for name in names):
            return Outcome("not named", own[-1][:300])
        return Outcome("refused", own[-1][:300])
    if expected is not None and ran.digest is not None and ran.digest != expected and not lines:
        return Outcome("silent damage", "other content was read, without a word")
    return Outcome("read", last[:300])


def _is_plain(line: str) -> bool:
    """Whether a terminal shows a line as it is: neither control characters nor changes of direction."""
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", line)
