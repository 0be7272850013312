"""A disk that fills up while phantoms are written."""

from pathlib import Path

import pytest

from dentasam.data.phantom.writer import write_phantoms
from dentasam.errors import OutputError


def test_no_part_of_an_image_is_left(limited_file_size: int, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*phantom-00000\.png: .*; free some space"):
        write_phantoms(tmp_path / "set", 1)
    assert not list((tmp_path / "set" / "images").iterdir())
    assert not (tmp_path / "set" / "phantoms.json").exists()
