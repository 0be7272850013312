"""The files of a chart head: what is written is read back, and whatever does not fit is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dentasam.errors import ChartError
from dentasam.model.chart.head import CARD, WEIGHTS, ChartCard, ChartHead, has_head, load_head, refusal, save_head
from dentasam.model.checkpoints.reading import sha256_of

from .maps import DETAIL, WIDTH, small_head

OWN = ChartCard("base", "b" * 64, "teeth", "a" * 64, "s" * 64, WIDTH, DETAIL, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_head(small_head(), tmp_path / "head", OWN)
    return tmp_path / "head"


def line_of(caught: pytest.ExceptionInfo[ChartError]) -> str:
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_saved_head_is_read_back_in_half_precision(folder: Path) -> None:
    head, card = load_head(folder)
    assert card == replace(OWN, weights_sha256=sha256_of(folder / WEIGHTS))
    written = small_head().state_dict()
    assert head.state_dict().keys() == written.keys()
    for name, tensor in head.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, written[name].half().float()), name
    assert not head.training
    assert not any(parameter.requires_grad for parameter in head.parameters())


def test_a_folder_has_a_head_when_both_files_are_there(folder: Path, tmp_path: Path) -> None:
    assert has_head(folder)
    assert not has_head(tmp_path)
    (folder / CARD).unlink()
    assert not has_head(folder)


def test_a_head_of_usual_size_is_small(tmp_path: Path) -> None:
    save_head(ChartHead(), tmp_path, replace(OWN, width=128, detail=64, numberer_width=128))
    assert (tmp_path / WEIGHTS).stat().st_size <= 3_000_000
    load_head(tmp_path)


def test_the_calibration_is_saved_with_the_weights(tmp_path: Path) -> None:
    head = small_head()
    head.calibration.copy_(torch.tensor([0.5, 2.0, 0.25, -1.0]))
    save_head(head, tmp_path, OWN)
    assert load_head(tmp_path)[0].calibration.tolist() == [0.5, 2.0, 0.25, -1.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_are_not_finite_in_half_precision_are_not_written(tmp_path: Path, value: float) -> None:
    head = small_head()
    with torch.no_grad():
        head.finder.out.bias[0] = value
    with pytest.raises(ChartError) as caught:
        save_head(head, tmp_path / "head", OWN)
    assert "finder.out.bias is not finite" in line_of(caught)
    assert not (tmp_path / "head").exists()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (("b" * 64, "a" * 64, "s" * 64), None),
        (("c" * 64, "a" * 64, "s" * 64), f"trained on base (sha256 {'b' * 12}…), not on the base in use"),
        (("b" * 64, "x" * 64, "s" * 64), "trained on embeddings of teeth, not of the adapter in use"),
        (("b" * 64, "a" * 64, "x" * 64), "trained on embeddings of teeth, not of the adapter in use"),
        (("b" * 64, None, None), "trained on embeddings of teeth, not of the adapter in use"),
    ],
)
def test_a_head_fits_one_base_and_one_adapter(own: tuple[str, str | None, str | None], message: str | None) -> None:
    found = refusal(Path("some/folder"), OWN, *own)
    if message is None:
        assert found is None
        return
    assert found is not None
    assert found.startswith(f"some/folder/{WEIGHTS}: ")
    assert message in found


def test_a_head_for_the_base_alone_fits_no_adapter() -> None:
    alone = replace(OWN, adapter=None, adapter_sha256=None, adapter_settings_sha256=None)
    assert refusal(Path("here"), alone, "b" * 64, None, None) is None
    assert "embeddings of the base alone" in (refusal(Path("here"), alone, "b" * 64, "a" * 64, "s" * 64) or "")


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "missing"])
def test_a_damaged_weights_file_is_named(folder: Path, damage: str) -> None:
    path = folder / WEIGHTS
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not a tensor" * 9}[damage])
    with pytest.raises(ChartError) as caught:
        load_head(folder)
    assert line_of(caught).startswith(f"{path}: ")


@pytest.mark.parametrize("change", ["nan", "missing key", "key left over", "shape"])
def test_weights_that_do_not_fit_their_card_are_named(folder: Path, change: str) -> None:
    weights = load_file(folder / WEIGHTS)
    if change == "nan":
        weights["finder.out.bias"][3] = float("nan")
    elif change == "missing key":
        del weights["numberer.unseen"]
    elif change == "key left over":
        weights["more"] = torch.zeros(2)
    else:
        weights["numberer.unseen"] = torch.zeros(8)
    save_file(weights, folder / WEIGHTS)
    content = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(content | {"weights_sha256": sha256_of(folder / WEIGHTS)}))
    with pytest.raises(ChartError) as caught:
        load_head(folder)
    assert line_of(caught).startswith(f"{folder / WEIGHTS}: ")


def test_weights_of_another_card_are_refused(folder: Path, tmp_path: Path) -> None:
    save_head(small_head(1), tmp_path / "other", OWN)
    (folder / WEIGHTS).write_bytes((tmp_path / "other" / WEIGHTS).read_bytes())
    with pytest.raises(ChartError, match=r"not the weights of chart.json beside it") as caught:
        load_head(folder)
    assert line_of(caught).startswith(f"{folder / WEIGHTS}: ")


@pytest.mark.parametrize(
    "change",
    [
        {"width": 12},
        {"width": 100_000},
        {"detail": "64"},
        {"numberer_width": True},
        {"base_sha256": None},
        {"base_sha256": 5},
        {"base_model": ["dentasam-tiny"]},
        {"adapter_sha256": 3},
        {"recipe": "mine"},
        {"scores": None},
    ],
)
def test_a_bad_card_is_named(folder: Path, change: dict[str, Any]) -> None:
    content = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(content | change))
    with pytest.raises(ChartError) as caught:
        load_head(folder)
    assert line_of(caught).startswith(f"{folder / CARD}: not the card of a chart head")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "5", "\u00ff"])
def test_what_is_no_card_is_named(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text, encoding="latin-1")
    with pytest.raises(ChartError) as caught:
        load_head(folder)
    assert line_of(caught).startswith(f"{folder / CARD}: not the card of a chart head")


def test_a_card_without_a_field_is_refused(folder: Path) -> None:
    content = json.loads((folder / CARD).read_text())
    del content["base_sha256"]
    (folder / CARD).write_text(json.dumps(content))
    with pytest.raises(ChartError, match="base_sha256"):
        load_head(folder)


def test_a_card_may_have_more_fields_than_this_version_knows(folder: Path) -> None:
    content = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(content | {"note": "of a later version"}))
    assert load_head(folder)[1] == replace(OWN, weights_sha256=sha256_of(folder / WEIGHTS))


def test_a_head_of_an_earlier_version_says_so(folder: Path) -> None:
    content = json.loads((folder / CARD).read_text())
    del content["weights_sha256"]
    (folder / CARD).write_text(json.dumps(content))
    with pytest.raises(ChartError, match="of other networks, by an earlier version") as caught:
        load_head(folder)
    assert "dentasam train --recipe chart" in line_of(caught)
