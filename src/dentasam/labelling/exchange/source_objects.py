"""Imports the objects of a workspace's own COCO file while its server runs already.

Hundreds of thousands of objects take minutes. The worklist is there at once; a case gets its objects before anything
else is read of it or written to it, and the other cases get theirs one after the other.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator

from dentasam.data.record import ImageRecord
from dentasam.labelling.exchange.imports import import_images
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.store import StorageFull, Store
from dentasam.labelling.workspace.workspace import Workspace, case_name

# Cases whose objects share a transaction: the disk is waited for once. A click may wait for as many. The objects of
# one case are not parted, since a case with some of its objects would pass for one that was labelled.
BATCH = 10
BATCH_OBJECTS = 500
# Between two batches, in which whoever waits for the objects of one case gets its turn.
PAUSE_SECONDS = 0.005
# Between two reports, each of which makes open pages read the worklist again.
REPORT_SECONDS = 10.0

log = logging.getLogger(__name__)


class SourceObjects:
    """The objects that are not in the store yet: those of the cases that have no operations. Threads may share it."""

    def __init__(self, store: Store, workspace: Workspace) -> None:
        """store: one of its own, which does not wait for these objects (`Store.pending`)."""
        self._store = store
        self._waiting: dict[int, tuple[Case, ImageRecord]] = {}
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        if workspace.dataset is None:
            return
        untouched = {case.name: case for case in store.cases() if case.revision == 0}
        for image in workspace.dataset.images:
            case = untouched.get(case_name(image.file_name))
            if case is not None and image.objects:
                self._waiting[case.id] = case, image

    def __len__(self) -> int:
        """The number of cases that wait for their objects."""
        return len(self._waiting)

    def bring(self, case_id: int) -> None:
        """Imports the objects of a case, if it waits for them. Raises DatasetError if a mask cannot be decoded."""
        if case_id in self._waiting:
            self._bring([case_id])

    def bring_all(self) -> None:
        """Imports the objects of all cases. Raises DatasetError as `bring`."""
        for batch in self._batches():
            self._bring_batch(batch)

    def start(self, on_progress: Callable[[], None]) -> None:
        """Imports all in a thread of its own; returns at once. on_progress: called now and then, and at the end."""
        if self._waiting:
            self._thread = threading.Thread(target=self._run, args=(on_progress,), name="import-objects", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the case that it imports; the others are imported at the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _batches(self) -> Iterator[list[int]]:
        batch: list[int] = []
        objects = 0
        for id, (_, image) in list(self._waiting.items()):
            if batch and (len(batch) == BATCH or objects + len(image.objects) > BATCH_OBJECTS):
                yield batch
                batch, objects = [], 0
            batch.append(id)
            objects += len(image.objects)
        if batch:
            yield batch

    def _bring(self, case_ids: list[int]) -> None:
        with self._one_at_a_time:
            waiting = {id: self._waiting[id] for id in case_ids if id in self._waiting}
            if waiting:
                import_images(self._store, waiting.values())
            for case_id in waiting:
                del self._waiting[case_id]

    def _bring_batch(self, batch: list[int]) -> None:
        self._bring(batch)
        time.sleep(PAUSE_SECONDS)

    def _run(self, on_progress: Callable[[], None]) -> None:
        reported = time.monotonic()
        for batch in self._batches():
            if self._stopping.is_set():
                return
            try:
                self._bring_batch(batch)
            except StorageFull as error:
                log.warning("the objects of the COCO file are not all imported: %s", error)
                return
            except Exception:
                # Whoever opens one of these cases gets its error, if it has one.
                log.exception("the objects of %d cases could not be imported", len(batch))
            if time.monotonic() - reported >= REPORT_SECONDS:
                on_progress()
                reported = time.monotonic()
        on_progress()
