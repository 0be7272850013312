"""Turns charts into proposals in the log of their cases, and says of each case whether they are there."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict
from typing import Literal

from dentasam.errors import WorkspaceError
from dentasam.labelling.inference.encoding.charted_image import ChartedImage, ChartedObject
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.inference.tidying import tidied
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.fold import CaseState
from dentasam.labelling.log.operations import Operation, Status
from dentasam.labelling.log.store import Store
from dentasam.labelling.proposals.new_proposals import Proposal, proposal_operations
from dentasam.labelling.workspace.settings import WorkspaceSettings
from dentasam.labelling.workspace.workspace import Workspace
from dentasam.model.chart.dentition import CHART_NAMES, NUMBERS

ProposalsState = Literal["none", "pending", "there", "off"]
# A case that somebody has closed gets no proposals.
UNFINISHED: frozenset[Status] = frozenset({"new", "in-progress"})


class Proposer:
    """A new case gets its proposals as soon as it is charted; one that people have worked on, when it is opened.

    Each chart (a picture and a model) gives a case proposals once. Those of an earlier chart that nobody has touched
    go then. Threads may share it.
    """

    def __init__(self, store: Store, workspace: Workspace, *, allowed: bool = True) -> None:
        """allowed: False turns proposals off, whatever the workspace's settings say."""
        self._store, self._workspace = store, workspace
        self._allowed = allowed
        self._lock = threading.Lock()
        self._opened: set[int] = set()
        self._settled: dict[int, str] = {}
        self._failed: set[tuple[int, str]] = set()

    @property
    def on(self) -> bool:
        """Whether the model proposes objects in this workspace, if it can."""
        return self._allowed and self._workspace.settings.proposals and bool(self._numbers())

    @property
    def switch(self) -> bool | None:
        """The workspace's setting; None where it has no effect on this server."""
        return self._workspace.settings.proposals if self._allowed and self._numbers() else None

    def turn(self, on: bool) -> None:
        """Changes the workspace's setting. Raises WorkspaceError where it cannot be written or has no effect."""
        if self.switch is None:
            raise WorkspaceError("proposals are off on this server (--no-proposals, or no tooth among the labels)")
        self._workspace.set_settings(WorkspaceSettings(proposals=on))
        self.labels_changed()

    def labels_changed(self) -> None:
        """Other names can be proposed now, or proposals are on again: every case may get some."""
        with self._lock:
            self._settled.clear()

    def open(self, case_id: int) -> None:
        """Somebody looks at the case: it may get proposals though people have worked on it."""
        charted = self._store.case(case_id).charted
        with self._lock:
            self._opened.add(case_id)
            settled = self._settled.get(case_id)
            if settled is not None and settled != charted and (case_id, settled) not in self._failed:
                # It was closed then, and may be open again.
                del self._settled[case_id]

    @property
    def waited_for(self) -> list[int]:
        """The opened cases that may be without their proposals."""
        with self._lock:
            return sorted(self._opened - self._settled.keys())

    def waits(self, case_id: int) -> bool:
        """Whether the case is opened and its chart has not been taken since."""
        if not self.on:
            return False
        with self._lock:
            return case_id in self._opened and case_id not in self._settled

    def state(self, case: Case, picture: str | None, chart_key: str | None) -> ProposalsState:
        """Whether a case has the proposals of its picture by the model in use.

        picture: hash of the case's file, None where there will be no chart of it. chart_key: the model's.
        """
        if not self.on or chart_key is None:
            return "off"
        if picture is None:
            return "none"
        chart = self._hash(picture, chart_key)
        if case.charted == chart:
            return "there"
        with self._lock:
            settled = self._settled.get(case.id) == chart
        return "none" if settled or case.status not in UNFINISHED else "pending"

    def take(self, case_id: int, picture: str, served: ServedModel, chart: ChartedImage) -> None:
        """Adds a chart's objects to the case's log as proposals, if the case gets any now."""
        assert served.chart_key is not None
        key = self._hash(picture, served.chart_key)
        numbers = self._numbers()
        found = [self._proposal(each, served) for each in chart.objects if each.number in numbers]
        with self._lock:
            opened = case_id in self._opened

        def operations(state: CaseState) -> list[Operation] | None:
            if state.status == "new" or (opened and state.status in UNFINISHED):
                return proposal_operations(case_id, key, state, found)
            return None

        done = self._store.propose(case_id, key, operations)
        with self._lock:
            self._failed.discard((case_id, key))
            # One that people have worked on and nobody has opened yet may still get some when it is opened.
            if opened or done is not None:
                self._settled[case_id] = key

    def fail(self, case_id: int, picture: str, served: ServedModel) -> None:
        """There will be no proposals of this picture."""
        assert served.chart_key is not None
        key = self._hash(picture, served.chart_key)
        with self._lock:
            self._failed.add((case_id, key))
            self._settled[case_id] = key

    def _proposal(self, found: ChartedObject, served: ServedModel) -> Proposal:
        sizes = self._workspace.schema.tidy_of(found.number)
        mask = tidied(found.mask, sizes, clicks=[(*found.click, 1)])
        model = asdict(served.identity) | {"score": found.score, "answered_by": found.answered_by}
        return Proposal(found.number, mask, found.click, found.confidence, model)

    def _hash(self, picture: str, chart_key: str) -> str:
        """What the log keeps of a chart: 64 characters that follow from its picture, its model and the labels."""
        return hashlib.sha256(f"{picture}|{chart_key}|{' '.join(sorted(self._numbers()))}".encode()).hexdigest()

    def _numbers(self) -> frozenset[str]:
        """What can be proposed with the workspace's labels; nothing where no label is a tooth's number."""
        names = {label.name for label in self._workspace.schema.labels}
        teeth = names & set(NUMBERS)
        return frozenset(names & set(CHART_NAMES)) if teeth else frozenset()
