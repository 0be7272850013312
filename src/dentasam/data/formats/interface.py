"""What the file of a format offers, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dentasam.documents.text import half_letter, half_letter_line
from dentasam.errors import DatasetError

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset
    from dentasam.data.formats.sources.images import SourceImages
    from dentasam.data.record import Category, ImageRecord
    from dentasam.data.teeth.numbering import Numbering


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import; the defaults are those of an import without options.

    images: the folder of the images, where they do not lie with the annotations. crowd_as_objects: take COCO's
    annotations with `iscrowd` 1 for objects. numbering: in which system the teeth of the source are numbered, where
    it cannot be recognised. resume: continue an import that was interrupted. skip_bad: takes a line for each image or
    object that is left out because of an error in it; without it the first error ends the import. report: takes a
    line about what was passed over or decided. progress: takes the number of images done and of all. unpacking: takes
    the bytes of an archive that are unpacked, and all. recognised: takes the format's name when it is known.
    follow_links: also read images, masks and annotations that are links out of the source.
    """

    images: Path | None = None
    crowd_as_objects: bool = False
    numbering: Numbering | None = None
    resume: bool = False
    skip_bad: Callable[[str], None] | None = None
    report: Callable[[str], None] = _ignore
    progress: Callable[[int, int], None] = _ignore
    unpacking: Callable[[int, int], None] = _ignore
    recognised: Callable[[str], None] = _ignore
    follow_links: bool = False


@dataclass(frozen=True)
class ReadOptions:
    """What the reader of a format is given beside its source. All but the first are as in `ImportOptions`.

    scratch: a folder for image files that the reader makes, as where a radiograph is stored in a format of volumes.
    numbering: only for a reader that applies it itself (`Contents.renumbered`).
    """

    scratch: Path
    crowd_as_objects: bool = False
    skip_bad: Callable[[str], None] | None = None
    report: Callable[[str], None] = _ignore
    numbering: Numbering | None = None
    follow_links: bool = False


@dataclass(frozen=True)
class SourceRecord:
    """One image of a source with its annotations, not yet read.

    where: the annotation file, and the record in it if there are several, as messages name it. load: reads it; an
    image or object id of 0 stands for the next free one, and `file_name` is relative to the folder of the images.
    Raises DatasetError or ImageError.
    """

    where: str
    load: Callable[[], ImageRecord]


def loaded(record: SourceRecord) -> ImageRecord:
    """The image of a record, whose category names, tags and further values a file can hold.

    Raises DatasetError as `load`, and for a text with half of a character.
    """
    image = record.load()
    objects = (*image.objects, *image.crowds)
    named = list({item.category for item in objects})
    half = half_letter([named, image.tags, image.extra, [item.extra for item in objects]])
    if half is not None:
        raise DatasetError(f"{record.where}: the name {half_letter_line(half)}; write it anew")
    return image


@dataclass(frozen=True)
class Contents:
    """What a source holds.

    records: one for each image (for several annotators one for each of their results). numbering: the system in which
    the source says that its teeth are numbered, None where it does not say. categories: those that the source lists,
    in its order; those of objects alone may be missing. renumbered: the reader itself has applied the numbering that
    the user chose to the names that it concerns; all teeth have FDI numbers. assumed: the system that such sources
    have by convention where they say nothing; names that are clearly of another are asked about all the same.
    """

    records: Sequence[SourceRecord]
    numbering: Numbering | None = None
    categories: Sequence[Category] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    renumbered: bool = False
    assumed: Numbering | None = None


class WriteFile(Protocol):
    """Takes one file of an export: its path inside the export, with `/` between folders, and its content."""

    def __call__(self, name: str, content: bytes, /) -> None: ...


class ReadingModule(Protocol):
    """The functions in the file of a format that is read."""

    def read(self, source: Path, images: SourceImages, options: ReadOptions) -> Contents:
        """Lists the images of a source; their objects are read when each is loaded.

        source: a file or a folder (an archive is unpacked before). images: finds image files by the names in
        annotations; a reader never opens a path that annotations name itself. Raises DatasetError for an error that
        concerns the source as a whole.
        """

    def recognises(self, source: Path) -> bool:
        """Whether a source looks like this format, by a glance that takes milliseconds and raises nothing."""


class WritingModule(Protocol):
    """The function in the file of a format that is written.

    Two more functions may be there, where images are not to be copied as they are to `images/`::

        named_images(dataset: Dataset) -> Dataset            image names inside the export
        copy_image(image: ImageRecord, target: Path) -> None  writes one image file
    """

    def write_annotations(self, dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
        """Passes everything but the images to `write`; returns a line for each kind of content that was lost.

        The names of the dataset's images are relative to the folder that these files are for. Masks are decoded for
        one image at a time. Raises DatasetError for a mask that cannot be decoded.
        """


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """One line of `dentasam data formats`.

    summary: what it is. keeps, loses: of objects that overlap, masks, numbers, tags. polygons: the rule by which its
    polygons are drawn, empty where it has none. reads, writes: directions that are offered. extra: the extra that
    must be installed for it. public_set: it is one published dataset with a layout of its own.
    """

    summary: str
    keeps: str = ""
    loses: str = ""
    polygons: str = ""
    reads: bool = True
    writes: bool = True
    extra: str = ""
    public_set: bool = False
