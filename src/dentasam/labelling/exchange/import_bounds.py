"""What one import may store, and when it ends early."""

from __future__ import annotations

from collections.abc import Callable

from dentasam.errors import DatasetError

MB: int = 10**6
# A tooth takes 1 to 2 KB: the charts of 2,000 cases 130 MB at most, the 300 objects of a case half a megabyte.
MAX_BYTES = 256 * MB
MAX_CASE_BYTES = 64 * MB


class ImportStopped(DatasetError):
    """Nobody waits for the import any more; what it has stored stays."""


class ImportBounds:
    """Counts the masks of one import, in bytes of their run lengths as the database keeps them."""

    def __init__(
        self,
        stopped: Callable[[], bool] = lambda: False,
        max_bytes: int = MAX_BYTES,
        max_case_bytes: int = MAX_CASE_BYTES,
    ) -> None:
        """stopped: whether the client is gone; asked before each object."""
        self._stopped, self._max_bytes, self._max_case_bytes = stopped, max_bytes, max_case_bytes
        self._bytes = self._case_bytes = 0

    def begin_case(self) -> None:
        """The masks that follow are those of another case."""
        self._case_bytes = 0

    def check(self) -> None:
        """Raises ImportStopped where the client is gone."""
        if self._stopped():
            raise ImportStopped("the client closed the connection; send the file again, and only the rest comes in")

    def add(self, case: str, size: int) -> None:
        """Counts one more mask of a case. Raises DatasetError where they are too many."""
        self._bytes += size
        self._case_bytes += size
        if self._case_bytes > self._max_case_bytes:
            raise DatasetError(
                f"the masks of {case} take more than {_shown(self._max_case_bytes)}, none of them was stored; "
                "simplify their outlines or leave some out"
            )
        if self._bytes > self._max_bytes:
            raise DatasetError(
                f"its masks take more than {_shown(self._max_bytes)}, those of {case} and of the cases after it were "
                "not stored; split the file"
            )


def _shown(size: int) -> str:
    return f"{size // MB} MB" if size >= MB else f"{size} bytes"
