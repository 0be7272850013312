"""Output folders in which something is a link to a place that nobody wants written."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dentasam.errors import OutputError


@contextmanager
def linked_away(place: Path, outside: Path) -> Iterator[None]:
    """In the block, what lies at `place` lies in `outside` and is reached by a link.

    Where nothing lies there, a link to a file that is missing is put there. Asserts that the block raises an
    OutputError that names the link, and that neither `outside` nor the folder of `place` is changed.
    """
    outside.mkdir()
    target = outside / place.name
    if place.exists():
        shutil.move(place, target)
    (outside / "precious").write_text("precious")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    before = _files(outside), _files(place.parent)
    with pytest.raises(OutputError) as caught:
        yield
    message = str(caught.value)
    assert message.startswith(f"{place} is a link to {target}, and nothing is written through links")
    assert "\n" not in message
    assert (_files(outside), _files(place.parent)) == before


def _files(folder: Path) -> dict[str, bytes]:
    """The content of every file, by its path; links are not followed, and have no content."""
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return {str(path.relative_to(folder)): b"" if path.is_symlink() else path.read_bytes() for path in paths}
