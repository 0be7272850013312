"""The resident memory of a labelling server that `label_cases.serving` runs."""

from __future__ import annotations

from pathlib import Path

from .label_cases import DENTASAM

# Writes the process's number into the file named first, and becomes the program.
NOTE = ("sh", "-c", 'echo $$ > "$0"; exec "$@"')
CAN_CLEAR = "5"  # resets the peak of the resident memory


class ServedMemory:
    """For Linux. file: where the server's process number is kept; `program` is to be served with."""

    def __init__(self, file: Path) -> None:
        self.program = (*NOTE, str(file), *DENTASAM)
        self._file = file

    def resident(self) -> float:
        """Megabytes now."""
        return self._megabytes("VmRSS")

    def start_of_peak(self) -> float:
        """Megabytes now; what `peak` returns later counts from here."""
        (self._process / "clear_refs").write_text(CAN_CLEAR)
        return self.resident()

    def peak(self) -> float:
        """Megabytes at most since the last `start_of_peak`."""
        return self._megabytes("VmHWM")

    @property
    def _process(self) -> Path:
        return Path("/proc") / self._file.read_text().strip()

    def _megabytes(self, name: str) -> float:
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
