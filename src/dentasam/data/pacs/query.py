"""Which instances of a PACS to import: a search over all pages (QIDO-RS), and the choice among its results."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dentasam.data.pacs.connection import Connection
from dentasam.data.pacs.filters import check_applied, names_of
from dentasam.data.pacs.results import (
    FRAMES,
    INSTANCE,
    MODALITY,
    SERIES,
    SOP_CLASS,
    STUDY,
    Instance,
    instance_in,
    tag_text,
)
from dentasam.errors import PacsError

# Panoramic, intraoral, digital and computed radiography, a radiograph that says no more, and scanned film.
RADIOGRAPHS = ("PX", "IO", "DX", "CR", "RG", "OT")
# A filter on one of these says which kinds are wanted.
NAMES_KINDS = frozenset(map(tag_text, (MODALITY, SOP_CLASS, SERIES, INSTANCE)))
PAGE = 500
# A search that lists more is too wide; a server that invents pages without end stops here too.
MAX_LISTED = 200_000
SEGMENTATION = "SEG"


def find_images(
    connection: Connection, filters: Mapping[str, str], limit: int, report: Callable[[str], None]
) -> list[Instance]:
    """At most `limit` radiographs of one frame that match, in the server's order.

    filters: by tag, as `parse_filters` returns them. Kinds other than RADIOGRAPHS are left out unless a filter names
    a kind. report: takes a line for each reason to leave instances out. Raises PacsError where nothing is left.
    """
    every_kind = bool(NAMES_KINDS & filters.keys())
    found: list[Instance] = []
    others: Counter[str] = Counter()
    several = invalid = 0
    stopped = False
    for instance in _listed(connection, filters, None):
        if instance is None:
            invalid += 1
        elif not every_kind and instance.modality and instance.modality not in RADIOGRAPHS:
            others[instance.modality] += 1
        elif instance.frames > 1:
            several += 1
        elif len(found) == limit:
            stopped = True
            break
        else:
            found.append(instance)
    if invalid:
        report(f"{_counted(invalid)} left out: the server names them by something else than a UID")
    if others:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(others.items()))
        example = min(others, key=lambda kind: (-others[kind], kind))
        report(
            f"{_counted(others.total())} left out: not radiographs ({kinds}); --filter Modality={example} takes it"
        )
    if several:
        report(f"{_counted(several)} left out: several frames")
    if stopped:
        report(f"over {limit} images match; the first {limit} are taken: narrow --filter, or raise --limit")
    if not found:
        what = f"no radiograph matches the filters ({names_of(filters)})" if filters else "it holds no radiograph"
        raise PacsError(f"{connection.base}: {what}; check --filter")
    return found


def find_segmentations(connection: Connection, study: str) -> list[Instance]:
    """The DICOM SEG objects of a study."""
    listed = _listed(connection, {tag_text(MODALITY): SEGMENTATION}, study)
    return [instance for instance in listed if instance is not None and instance.modality in ("", SEGMENTATION)]


def _listed(connection: Connection, filters: Mapping[str, str], study: str | None) -> Iterator[Instance | None]:
    """Every instance that matches, once; None for one that the server names by something else than UIDs."""
    asked = {tag_text(tag) for tag in (STUDY, SERIES, INSTANCE, SOP_CLASS, MODALITY, FRAMES)} | filters.keys()
    seen: set[str] = set()
    offset = 0
    while page := connection.search(filters, sorted(asked), PAGE, offset, study):
        # A server may send fewer than asked for, and more on the next page.
        offset += len(page)
        fresh = False
        for entry in page:
            instance = _checked(connection, filters, entry)
            if instance is None:
                yield None
            elif instance.uid not in seen:
                fresh = True
                seen.add(instance.uid)
                yield instance
        if not fresh:
            # The server does not know `offset` and sends the same again.
            return
        if offset >= MAX_LISTED:
            raise PacsError(f"{connection.base} lists over {MAX_LISTED} instances; narrow --filter")


def _checked(connection: Connection, filters: Mapping[str, str], entry: dict[str, Any]) -> Instance | None:
    check_applied(connection.base, filters, entry)
    return instance_in(entry)


def _counted(count: int) -> str:
    return f"{count} instance{'s are' if count != 1 else ' is'}"
