"""Which cases are known to be damaged, from the reads that met it: the worklist says so without reading anything."""

import threading
from typing import Literal

# What of a case was read.
Part = Literal["objects", "log", "comments"]


class KnownDamage:
    """The damaged parts of cases, by case id. Any number of threads may use it."""

    def __init__(self) -> None:
        self._parts: dict[int, frozenset[Part]] = {}
        self._lock = threading.Lock()
        self.changes = 0

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._parts

    def note(self, case_id: int, part: Part, damaged: bool) -> None:
        """Records what a read found. `changes` counts the cases whose damage becomes known, or is gone."""
        # Nearly all reads find what is known already: nothing of a whole case.
        if not damaged and case_id not in self._parts:
            return
        with self._lock:
            known = self._parts.get(case_id, frozenset())
            found = known | {part} if damaged else known - {part}
            if found:
                self._parts[case_id] = found
            else:
                self._parts.pop(case_id, None)
            self.changes += bool(found) != bool(known)
