from collections.abc import Iterator
from pathlib import Path

import pytest

from ..running import Running, folder_of_images, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(folder_of_images(tmp_path / "images")) as server:
        yield server
