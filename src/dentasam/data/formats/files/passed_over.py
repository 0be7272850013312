"""What a reader does with content that does not become an object: it is an error, or counted and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from dentasam.data.formats.interface import ReadOptions, SourceRecord
from dentasam.data.record import ImageRecord
from dentasam.errors import DatasetError


def error_or_skip(options: ReadOptions, line: str) -> None:
    """Raises DatasetError, or hands the line on where the user wants objects with errors to be left out."""
    if options.skip_bad is None:
        raise DatasetError(line)
    options.skip_bad(line)


class Tally:
    """Counts content that is left out on purpose, and reports each kind once, with the last image of the source."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._counts: Counter[str] = Counter()

    def add(self, what: str, count: int = 1) -> None:
        """what: as it stands before the number, such as `lines left out`."""
        self._counts[what] += count

    def tell(self) -> None:
        """Reports what was counted, and begins anew."""
        for what, count in self._counts.items():
            if count:
                self._report(f"{what}: {count}")
        self._counts.clear()

    def with_last(self, records: Sequence[SourceRecord]) -> list[SourceRecord]:
        """The records, of which the last reports the counts when it is loaded; an import loads them in order."""
        if not records:
            self.tell()
            return []
        load = records[-1].load

        def load_and_tell() -> ImageRecord:
            try:
                return load()
            finally:
                self.tell()

        return [*records[:-1], replace(records[-1], load=load_and_tell)]
