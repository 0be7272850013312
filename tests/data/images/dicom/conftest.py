"""A DICOM file written where the test's other files are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .dicom_files import Write, write_dicom


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(pixels: np.ndarray, bits: int = 12, **elements: Any) -> Path:
        return write_dicom(tmp_path / "x.dcm", pixels, bits, **elements)

    return write
