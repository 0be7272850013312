"""The import of a dataset, whatever its format: image by image into a draft, which becomes the dataset at the end.

A format only says which images a source has and reads one of them (`interface.ReadingModule`). Archives, copies of
images, ids, tooth numbers, errors that are passed over and interrupted imports are dealt with here, once for all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dentasam.data.coco.stream import stream_coco
from dentasam.data.formats.importing.draft import Draft
from dentasam.data.formats.interface import Contents, ImportOptions, ReadingModule, ReadOptions, loaded
from dentasam.data.formats.sources.archive import is_archive, unpack
from dentasam.data.formats.sources.glance import roots_of
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.formats.tooth_names import fdi_names
from dentasam.data.links import reading_source
from dentasam.documents.shown import shown
from dentasam.documents.text import half_letter
from dentasam.errors import DatasetError, DentasamError, ExtraError, ImageError

# Takes the places that a source may begin at, and gives the format's reader and the place that it knows.
Choose = Callable[[Sequence[Path]], tuple[ReadingModule, Path]]


def run_import(name: str | None, choose: Choose, source: Path, out: Path, options: ImportOptions) -> Path:
    """Writes `out/dataset.json` and `out/images`; returns the path of the JSON.

    name: of the format, None where it is to be recognised; only the same name continues an interrupted import.
    After an error in the source nothing is left in `out`, and it is removed if it was missing; after an interruption,
    the draft is left for a call with `resume`. Raises DatasetError or ImageError for an error in the source,
    OutputError where `out` is in use or cannot be written.
    """
    draft = Draft(out, _key(name, source, options), options.resume, options.report)
    try:
        if draft.is_finished:
            return draft.clear()
        folder = source if source.is_dir() else source.parent
        given = [options.images] if options.images is not None else []
        with (
            _naming_the_archive(source, draft),
            reading_source(folder, source, out, *given, follow_links=options.follow_links),
        ):
            return _fill(choose, source, draft, options)
    except (DatasetError, ImageError, ExtraError):
        draft.discard()
        raise
    finally:
        draft.close()


def _fill(choose: Choose, source: Path, draft: Draft, options: ImportOptions) -> Path:
    places = [source]
    if source.is_file() and is_archive(source):
        unpack(source, draft.unpacked, options.unpacking, options.report)
        places = roots_of(draft.unpacked)
    module, place = choose(places)
    images = images_of(place, options.images, options.report, options.follow_links)
    reading = ReadOptions(
        draft.scratch,
        options.crowd_as_objects,
        options.skip_bad,
        options.report,
        options.numbering,
        options.follow_links,
    )
    contents = module.read(place, images, reading)
    total = len(contents.records)
    if draft.done:
        before = f"{len(draft.done)} image{'s were' if len(draft.done) != 1 else ' was'} imported before"
        options.report(f"{before}; what was left out of them may not be counted again")
    taken: set[str] = set()
    for number, record in enumerate(contents.records, start=1):
        if record.where in draft.done and record.where not in taken:
            if number == total:
                # With its last record a reader reports what it has counted.
                with suppress(DatasetError, ImageError):
                    record.load()
        else:
            try:
                if record.where in taken:
                    raise DatasetError(f"{source}: {record.where} is there more than once; take one of them out")
                draft.add(record.where, loaded(record))
            except (DatasetError, ImageError) as error:
                if options.skip_bad is None:
                    raise
                options.skip_bad(str(error))
        taken.add(record.where)
        options.progress(number, total)
    return _finished(contents, draft, source, options)


def _finished(contents: Contents, draft: Draft, source: Path, options: ImportOptions) -> Path:
    if not draft.done:
        raise DatasetError(f"{source} holds no image that can be imported; check its path and --format")
    half = half_letter([[category.name, category.supercategory] for category in contents.categories])
    if half is not None:
        raise DatasetError(f"{source}: the category {shown(half)} has half of a character; name it anew")
    names = draft.names()
    stated = None if contents.renumbered else options.numbering
    given = fdi_names(names, stated, contents.numbering, source, options.report, contents.assumed)
    kept = [category for category in contents.categories if given.get(category.name, category.name) == category.name]
    images = (image.renamed(given) for image in draft.images())
    stream_coco(draft.dataset, images, [given.get(name, name) for name in names], kept, contents.info)
    return draft.finish()


def images_of(
    source: Path,
    given: Path | None,
    report: Callable[[str], None] = lambda line: None,
    follow_links: bool = False,
) -> SourceImages:
    """The images that a source's annotations may name: those in `given`, else those in or beside the source.

    follow_links: with those that are links out of that folder. Raises DatasetError where a folder does not exist.
    """
    if given is not None:
        if not given.is_dir():
            raise DatasetError(f"{given} is not a folder; name the folder that holds the dataset's images")
        return SourceImages.in_folder(given, report, fixed=True, follow_links=follow_links)
    if not source.exists():
        raise DatasetError(f"{source} does not exist; check the path")
    folder = source if source.is_dir() else source.parent
    return SourceImages.in_folder(folder, report, follow_links=follow_links)


def _key(name: str | None, source: Path, options: ImportOptions) -> str:
    images = None if options.images is None else str(options.images.resolve())
    key: list[object] = [name, str(source.resolve()), images, options.crowd_as_objects, options.numbering]
    if source.is_file():
        # Files of another version of an archive are not told from unpacked ones where their sizes are the same.
        status = source.stat()
        key += [status.st_size, status.st_mtime_ns]
    return json.dumps(key)


@contextmanager
def _naming_the_archive(source: Path, draft: Draft) -> Iterator[None]:
    """Names files of an unpacked archive by their place in it, since the unpacked ones are removed."""
    try:
        yield
    except DentasamError as error:
        unpacked = str(draft.unpacked)
        if unpacked not in str(error):
            raise
        raise type(error)(str(error).replace(unpacked, str(source))) from None
