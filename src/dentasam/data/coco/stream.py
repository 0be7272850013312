"""Writing a COCO file image by image, for datasets whose masks do not fit into memory together."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from dentasam.data.coco.document import annotated, annotation_entry, image_entry, with_missing_categories
from dentasam.data.coco.text import BETWEEN, head, tail
from dentasam.data.record import Category, ImageRecord
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically


def stream_coco(
    path: Path,
    images: Iterable[ImageRecord],
    names: Iterable[str],
    categories: Sequence[Category] = (),
    info: Mapping[str, Any] | None = None,
) -> None:
    """Writes the document of `coco_document`, all or nothing, with one image at a time in memory.

    images: their ids and those of their objects are unique. names: of all categories that objects may have;
    categories: those that come first in the file. Raises OutputError where the file cannot be written.
    """
    categories = with_missing_categories(categories, names)
    ids = {category.name: category.id for category in categories}
    try:
        with (
            write_atomically(path, durable=True) as draft,
            draft.open("w", encoding="utf-8") as file,
            # The annotations follow the images in the file, and come with them.
            tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as annotations,
        ):
            file.write(head(info))
            listed, objects = _Items(file), _Items(annotations)
            for image in images:
                listed.add(image_entry(image))
                for record, crowd in annotated(image):
                    objects.add(annotation_entry(image, record, ids[record.category], crowd))
            file.write(BETWEEN)
            annotations.seek(0)
            shutil.copyfileobj(annotations, file)
            file.write(tail(categories))
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another place") from None


class _Items:
    """The items of a JSON list, written one after the other as `json.dumps` writes them."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._separator = file, ""

    def add(self, item: object) -> None:
        self._file.write(self._separator + json.dumps(item))
        self._separator = ", "
