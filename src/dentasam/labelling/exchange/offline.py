"""What `dentasam label` does with a workspace without a server: it opens it, and writes its labels to files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from dentasam.data.formats.catalogue import Format
from dentasam.data.formats.registry import writable
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import OutputError, WorkspaceError
from dentasam.files.atomic_write import remove_stale_drafts, write_atomically
from dentasam.labelling.exchange.correction_log import log_lines
from dentasam.labelling.exchange.exports import FINISHED, chosen_cases, write_coco, write_zip
from dentasam.labelling.exchange.proposal_outcomes import ProposalCounts
from dentasam.labelling.exchange.source_objects import SourceObjects
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.cases import no_case_line
from dentasam.labelling.log.database.damage import Damage, DamagedData
from dentasam.labelling.log.database.sqlite_check import GUIDE
from dentasam.labelling.log.database.workspace_id import open_workspace_database
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.file_lock import WorkspaceInUse
from dentasam.labelling.workspace.workspace import Workspace


@dataclass(frozen=True)
class Place:
    """Where the images and the labels of a workspace are.

    source: a folder of images or a COCO file. folder: the workspace's own; None for the one beside or in the source.
    database: its URL; None for a file in that folder. images: the folder with the images of a COCO file; None for the
    file's own. follow_links: whether images may be links out of their folder.
    """

    source: Path
    folder: Path | None = None
    database: str | None = None
    images: Path | None = None
    follow_links: bool = False

    @staticmethod
    def of(place: "Place | Path") -> "Place":
        """A place as it is; a path is a source with everything else where it usually is."""
        return place if isinstance(place, Place) else Place(place)


@dataclass(frozen=True)
class OpenedWorkspace:
    """A workspace and its store with a case for each image.

    problems: lines about images that are left out. pending: the objects of its COCO file that are not imported yet,
    which are pre-annotations; the store imports those of a case when it is first used.
    """

    workspace: Workspace
    store: Store
    problems: list[str]
    pending: SourceObjects


@contextmanager
def open_early(place: Place | Path, damaged: list[str] | None = None) -> Iterator[OpenedWorkspace]:
    """Yields the workspace before the objects of its COCO file are imported.

    damaged: gets a line for damage of the database that reading can go on with, in place of an error. Raises
    WorkspaceError and DatasetError.
    """
    place = Place.of(place)
    with Workspace.open(place.source, place.folder, place.images, place.follow_links) as workspace:
        engine = open_workspace_database(workspace, place.database, damaged)
        try:
            plain = Store(engine)
            problems = [*workspace.problems, *_synced(plain, workspace, damaged)]
            pending = SourceObjects(plain, workspace)
            if workspace.dataset is not None:
                # `pending` has the records that are still needed, and lets go of each after its import.
                workspace.dataset = replace(workspace.dataset, images=())
            yield OpenedWorkspace(workspace, Store(engine, pending), problems, pending)
        finally:
            engine.dispose()


def _synced(store: Store, workspace: Workspace, damaged: list[str] | None) -> list[str]:
    """The lines of `sync_cases`; a damaged database that is only read goes without it."""
    try:
        return store.sync_cases(workspace.images)
    except DamagedData as error:
        if damaged is None:
            raise
        damaged.append(str(error))
        names = {case.name for case in store.cases()}
        return [no_case_line(image.name) for image in workspace.images if image.name not in names]


@contextmanager
def open_workspace(
    place: Place | Path, damaged: list[str] | None = None
) -> Iterator[tuple[Workspace, Store, list[str]]]:
    """Yields the workspace, its store with a case for each image, and lines about images that are left out.

    The objects of a COCO file are imported as pre-annotations. damaged: as in `open_early`. Raises WorkspaceError
    and DatasetError.
    """
    with open_early(place, damaged) as opened:
        opened.pending.bring_all()
        yield opened.workspace, opened.store, opened.problems


def write_export(
    place: Place | Path,
    kind: str,
    target: Path,
    *,
    finished: bool = False,
    numbering: Numbering = Numbering.fdi,
    damaged: list[str] | None = None,
) -> str:
    """Writes an export of a workspace to a file; returns a line that says how many objects it holds.

    A correction log adds a line on what became of the model's proposals, if there were any; a dataset format adds a
    line for each kind of content that it lost.

    kind: a dataset format, `log` or `timing`. numbering: how teeth are numbered in it. finished:
    only cases that are done or approved; the time table always holds all. damaged: gets a line for each thing that is
    damaged in the database and therefore not in the file. Raises OutputError if the file cannot be
    written, WorkspaceError and DatasetError as `open_workspace`.
    """
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file in it")
    remove_stale_drafts(target.parent)
    statuses = FINISHED if finished else None
    counts = ProposalCounts()
    notes: tuple[str, ...] = ()
    damages: list[Damage] = []
    damaged = [] if damaged is None else damaged
    with (
        _naming_the_server(kind, finished),
        open_workspace(place, damaged) as (workspace, store, problems),
    ):
        if kind == "coco":
            write_coco(store, workspace, target, statuses, numbering, damages)
        else:
            with _replacing_file(target) as file:
                if kind in writable():
                    notes = write_zip(Format(kind), store, workspace, file, statuses, numbering, damages)
                elif kind == "log":
                    lines = log_lines(store, workspace, statuses, counts, damages)
                    file.writelines(line.encode() for line in lines)
                else:
                    file.write(timing_csv(store, damages).encode())
        chosen = [case for case in store.cases() if statuses is None or case.status in statuses]
        labelled = [case.objects for case in chosen if case.objects]
        if damages or damaged:
            # The worklist counts what is damaged too.
            whole = [state.present for _, state in chosen_cases(store, workspace, statuses, [])]
            labelled = [count for present in whole if (count := sum(not known.proposed for known in present))]
    damaged += [problem for problem in problems if GUIDE in problem] + [damage.line for damage in damages]
    kept = " of finished cases" if finished else ""
    line = f"{sum(labelled)} objects in {len(labelled)} images{kept} → {target}"
    return "\n".join(filter(None, [line, counts.line(), *(f"note: {note}" for note in notes)]))


@contextmanager
def _naming_the_server(kind: str, finished: bool) -> Iterator[None]:
    """If a server uses the workspace, names in the error the address at which it offers the same file."""
    try:
        yield
    except WorkspaceInUse as error:
        if error.address is None:
            raise
        query = "?finished=true" if finished else ""
        raise WorkspaceError(
            f"{error.root} is in use by the dentasam label at {error.address}; stop it, or open "
            f"{error.address}api/export/{kind}{query} in the browser that shows its page"
        ) from None


@contextmanager
def _replacing_file(target: Path) -> Iterator[BinaryIO]:
    """Yields a file that replaces `target` when it is complete. Raises OutputError."""
    try:
        with write_atomically(target) as draft, draft.open("wb") as file:
            yield file
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror}); choose another --out") from None
