"""Text in the picture: what is done with the boxes of a reader, and a real one where it is installed."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dentasam.data.deidentify.ocr import text_finder
from dentasam.data.deidentify.run import Options, deidentify
from dentasam.errors import ExtraError


def picture() -> np.ndarray:
    return np.random.default_rng(2).integers(20, 120, (200, 400)).astype(np.uint8)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that finds a name, a mark of the side, and a tooth."""

    class Reader:
        def __init__(self, params: dict[str, Any]) -> None:
            pass

        def __call__(self, image: np.ndarray) -> SimpleNamespace:
            assert image.shape == (200, 400, 3)
            assert image.dtype == np.uint8
            name = [[50, 20], [150.5, 22], [150, 40], [49.5, 38]]
            mark, tooth = ([[x, 90], [x + 20, 90], [x + 20, 90 + h], [x, 90 + h]] for x, h in ((10, 10), (200, 80)))
            tooth[1][0] = tooth[2][0] = 260
            return SimpleNamespace(
                boxes=np.array([name, mark, tooth]), txts=("MUELLER", "R", "JAL"), scores=(0.9,) * 3
            )

    module = ModuleType("rapidocr")
    module.RapidOCR = Reader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rapidocr", module)
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("scale", [1, 257])
def test_boxes_are_upright_and_neither_marks_of_the_side_nor_teeth_are_text(scale: int) -> None:
    pixels = picture() if scale == 1 else picture().astype(np.uint16) * 257
    assert text_finder()(pixels) == [(49, 20, 102, 20)]


@pytest.mark.usefixtures("reader")
def test_found_text_is_blanked(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "x.png")
    outcome = deidentify(tmp_path / "x.png", tmp_path / "out", Options(ocr="blank"))
    after = np.asarray(Image.open(tmp_path / "out" / outcome.delivered[0]))
    assert (after[20:40, 49:151] == after.min()).all()
    np.testing.assert_array_equal(after[90:120, 10:30], picture()[90:120, 10:30])
    assert outcome.warnings == []


@pytest.mark.usefixtures("reader")
def test_found_text_is_reported_by_its_place_alone(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "x.png")
    outcome = deidentify(tmp_path / "x.png", tmp_path / "out", Options(ocr="report"))
    np.testing.assert_array_equal(Image.open(tmp_path / "out" / outcome.delivered[0]), picture())
    (line,) = outcome.warnings
    assert "has text in its picture at 49,20,102,20" in line
    report = outcome.report.read_text(encoding="utf-8")
    assert "found and left" in report
    assert "MUELLER" not in report + line


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ExtraError, match=r"pip install 'dentasam\[ocr\]'"):
        deidentify(tmp_path, tmp_path / "out", Options(ocr="blank"))
    assert not (tmp_path / "out").exists()


def test_real_reader_finds_burned_in_text() -> None:
    pytest.importorskip("rapidocr")
    pixels = cv2.GaussianBlur(np.tile(picture(), (3, 3)), (0, 0), 3)
    cv2.putText(pixels, "MUELLER ANNA 1937", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    boxes = text_finder()(pixels)
    covered = np.zeros(pixels.shape, bool)
    for x, y, w, h in boxes:
        covered[max(0, y - 4) : y + h + 4, max(0, x - 4) : x + w + 4] = True
    assert covered[pixels > 200].mean() > 0.95
    assert covered.mean() < 0.3
