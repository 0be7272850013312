"""The run's rows on disk: metrics.jsonl, and TensorBoard on request."""

from __future__ import annotations

import json
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import parse_json
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically
from dentasam.files.full_disk import full_disk
from dentasam.files.regular_file import open_regular, without_link
from dentasam.training.run.saved.run_state import METRICS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


# Of one row; that of a validation after 1,000 clicks has some 25,000 characters.
_LONGEST_ROW = 1 << 20


def cut_metrics(path: Path, step: int) -> None:
    """Drop the rows that a killed run wrote after its last checkpoint; the resumed run writes them again.

    So is a last row that was cut short. Raises OutputError for another damaged row, and for what is no file.
    """
    try:
        with open_regular(path) as rows, write_atomically(path) as draft, draft.open("wb") as kept:
            number = 0
            while row := rows.readline(_LONGEST_ROW):
                number += 1
                if not row.endswith(b"\n") and len(row) < _LONGEST_ROW:
                    break
                if _step_of(row, path, number) <= step:
                    kept.write(row)
    except FileNotFoundError:
        return
    except OSError as error:
        if full_disk(error):
            raise
        raise OutputError(f"{path}: cannot be used ({error.strerror}); remove it and --resume") from None


def _step_of(row: bytes, path: Path, number: int) -> int:
    try:
        step = parse_json(row)["step"]
        if isinstance(step, int):
            return step
    except (DocumentError, LookupError, TypeError, ValueError):
        pass
    raise OutputError(f"{path}, line {number}: damaged; delete the line, or the file, and --resume")


class MetricsLog:
    """Writes rows as lines of metrics.jsonl and, where it is wanted, to TensorBoard. To be used in a `with`."""

    def __init__(self, out: Path, first_step: int, tensorboard: bool, active: bool = True) -> None:
        """A log that is not active, as in all processes but the first, writes nothing.

        Raises OutputError where TensorBoard is wanted and not installed, and where metrics.jsonl cannot be opened.
        """
        self._board: TensorBoard | None = None
        self._file: TextIO | None = None
        if active:
            self._board = TensorBoard(out / "tensorboard", first_step + 1) if tensorboard else None
            path = out / METRICS
            try:
                self._file = open(path, "a", encoding="utf-8", buffering=1, opener=without_link)  # noqa: SIM115
            except OSError as error:
                raise OutputError(f"{path}: cannot be written ({error.strerror}); remove it and --resume") from None

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            # Closing writes again what could not be written; the error that ends the block has said so.
            with suppress(OSError) if error[0] is not None else nullcontext():
                self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, row: dict[str, Any]) -> None:
        """Add one row. It is on disk when this returns. Raises OutputError where it cannot be written."""
        if self._file is not None:
            try:
                self._file.write(json.dumps(row) + "\n")
            except OSError as error:
                path = self._file.name
                raise OutputError(f"{path}: cannot be written ({error.strerror}); free space and --resume") from None
        if self._board is not None:
            self._board.write(row)


class TensorBoard:
    """Writes rows as scalars for TensorBoard into a folder."""

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        """purge_step: scalars of this step and later ones, from a killed run, are dropped.

        Raises OutputError where TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise OutputError("TensorBoard is not installed; pip install 'dentasam[tracking]'") from None
        self._writer: SummaryWriter = SummaryWriter(str(folder), purge_step=purge_step)

    def write(self, row: dict[str, Any]) -> None:
        """Add one row of metrics.jsonl."""
        for name, value in row.items():
            if name == "dice_at_clicks":
                for click, dice in enumerate(value, start=1):
                    self._scalar(f"validation/dice_at_{click}", dice, row["step"])
            elif name != "step" and isinstance(value, int | float):
                self._scalar(f"{row['kind']}/{name}", value, row["step"])

    def close(self) -> None:
        self._writer.close()

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)
