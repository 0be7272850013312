"""Which case is encoded next, and what is known of each: its picture, whether it is encoded, why it cannot be.

Nothing here has a lock: the encode queue holds its own around every call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dentasam.labelling.inference.encoding.embedding_memory import EmbeddingMemory
from dentasam.labelling.workspace.workspace import CaseImage

MAX_LOOKED_AT = 16


@dataclass
class EncodedCases:
    """What is known of the cases.

    pictures: hash of what each case's file held when it was last looked at. encoded: cases with an embedding.
    measured: cases whose uncertainty is known. errors: why a case cannot be encoded, in one line.
    """

    pictures: dict[int, str] = field(default_factory=dict)
    encoded: set[int] = field(default_factory=set)
    measured: set[int] = field(default_factory=set)
    errors: dict[int, str] = field(default_factory=dict)

    def set_picture(self, case_id: int, picture: str) -> bool:
        """Note what a case's file holds now; for a new picture all else is forgotten. Returns whether it is new."""
        replaced = self.pictures.get(case_id, picture) != picture
        if replaced:
            self.encoded.discard(case_id)
            self.measured.discard(case_id)
            self.errors.pop(case_id, None)
        self.pictures[case_id] = picture
        return replaced


class EncodeOrder:
    """Cases that a click waits for come first, then the opened case, then those that follow it, then the rest.

    looked_at: the cases opened last, by any annotator, the newest last. running: cases that are being encoded, which
    are not given out a second time.
    """

    def __init__(self, worklist: Mapping[int, CaseImage], cases: EncodedCases, memory: EmbeddingMemory) -> None:
        self._worklist, self._cases, self._memory = worklist, cases, memory
        self.requested: list[int] = []
        self.opened: list[int] = []
        self.looked_at: list[int] = []
        self.running: list[int] = []

    def request(self, case_id: int) -> bool:
        """A click waits for this case. Returns whether that is new."""
        if case_id in self.requested:
            return False
        self.requested.append(case_id)
        return True

    def open(self, case_id: int, following: Sequence[int]) -> None:
        """An annotator looks at this case, and probably at the following ones next."""
        self.looked_at = [*(case for case in self.looked_at if case != case_id), case_id][-MAX_LOOKED_AT:]
        self.opened = [case_id, *(case for case in following if case in self._worklist and case != case_id)]

    def is_in_use(self, case_id: int) -> bool:
        """Whether the case's embedding is wanted in memory."""
        return case_id in self.requested or case_id in self.opened

    def next_in_use(self) -> int | None:
        """The next case that a click waits for, else the opened one if it is not in memory yet."""
        self.requested = [
            case for case in self.requested if case not in self._cases.errors and not self._in_memory(case)
        ]
        for case_id in self.requested:
            if case_id not in self.running:
                return case_id
        first = self.opened[:1]
        if first and self._is_due(first[0], in_memory=True):
            return first[0]
        # Somebody else may look at a case that was opened before it: it waits for its chart.
        return next((case for case in reversed(self.looked_at) if self._is_due(case, in_memory=False)), None)

    def next_ahead(self) -> int | None:
        """The next case that nobody needs yet: one that follows the opened case, else the first of the rest."""
        # Only half of the memory: more opened cases would push each other out of it forever.
        for case_id in self.opened[1 : self._memory.size // 2]:
            if self._is_due(case_id, in_memory=True):
                return case_id
        first = self.opened[:1]
        return next(
            (case for case in self._worklist if case not in first and self._is_due(case, in_memory=False)), None
        )

    def _is_due(self, case_id: int, *, in_memory: bool) -> bool:
        if case_id in self._cases.errors or case_id in self.running:
            return False
        return case_id not in self._cases.measured or (in_memory and not self._in_memory(case_id))

    def _in_memory(self, case_id: int) -> bool:
        return self._cases.pictures.get(case_id) in self._memory
