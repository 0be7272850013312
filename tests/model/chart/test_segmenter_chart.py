"""Charts and numbers from a segmenter: images of every kind, the head that it finds, and what it refuses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dentasam.errors import ChartError, ImageError, PromptError
from dentasam.model.adapters.folder import CARD as ADAPTER_CARD
from dentasam.model.adapters.folder import CONFIG, AdapterIdentity, find_adapter
from dentasam.model.adapters.folder import WEIGHTS as ADAPTER_WEIGHTS
from dentasam.model.adapters.segmenter_adapters import MergedAdapter
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.dentition import IMPLANT, NUMBERS, PERMANENT
from dentasam.model.chart.finder import Finder, FinderMaps
from dentasam.model.chart.head import WEIGHTS, ChartCard, load_head, save_head
from dentasam.model.checkpoints.loading import ModelInfo
from dentasam.model.checkpoints.reading import file_of, sha256_of
from dentasam.model.checkpoints.registry import locate
from dentasam.model.core.frame import Frame
from dentasam.model.segmenter import Segmenter, load_torch
from dentasam.model.windows.boxed_mask import BoxedMask

from ..windows.bright_network import BrightNetwork
from ..windows.scenes import dice
from .given_head import Thing, drawn, maps_of
from .maps import DETAIL, WIDTH, small_head

BASE = "dentasam-tiny"
See = Callable[[Sequence[Thing], Frame], None]


@pytest.fixture(scope="module")
def base_sha256() -> str:
    return sha256_of(file_of(locate(BASE)[1]))


def card_of(base_sha256: str, adapter: AdapterIdentity | None = None) -> ChartCard:
    alone = ChartCard(BASE, base_sha256, None, None, None, WIDTH, DETAIL, 16)
    if adapter is None:
        return alone
    return replace(
        alone,
        adapter=adapter.name,
        adapter_sha256=adapter.weights_sha256,
        adapter_settings_sha256=adapter.settings_sha256,
    )


@pytest.fixture(scope="module")
def head_folder(tmp_path_factory: pytest.TempPathFactory, base_sha256: str) -> Path:
    """A head for the base alone."""
    folder = tmp_path_factory.mktemp("head")
    save_head(small_head(), folder, card_of(base_sha256))
    return folder


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    """Takes what is bright for an object; its finder has to be given, since there are no features."""
    folder = tmp_path_factory.mktemp("bright")
    head = small_head()
    with torch.no_grad():
        head.numberer.out.bias[len(NUMBERS) :] = -5.0  # so that a random numberer takes all for numbered teeth
    save_head(head, folder, ChartCard("bright", "b" * 64, None, None, None, WIDTH, DETAIL, 16))
    info = ModelInfo("bright", "vit_tiny", "b" * 64, folder / "bright.safetensors")
    return Segmenter(BrightNetwork(), info, MergedAdapter(None, "", None), chart=folder)


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch) -> See:
    """Makes all finders see the same things."""

    def see(things: Sequence[Thing], frame: Frame) -> None:
        def forward(finder: Finder, features: Tensor, fine: Tensor) -> FinderMaps:
            return maps_of(things, frame)

        monkeypatch.setattr(Finder, "forward", forward)

    return see


def placed(height: int, width: int) -> list[Thing]:
    """Five teeth that lie apart, one of them at the image's corner."""
    places = [(0.1, 0.2), (0.45, 0.3), (0.8, 0.1), (0.3, 0.7), (0.88, 0.75)]
    return [Thing("11", (x * width, y * height, (x + 0.12) * width, (y + 0.25) * height)) for x, y in places]


def assert_sound(chart: Chart, height: int, width: int) -> None:
    """What holds for every chart."""
    numbers = [name for name in chart.numbers if name in NUMBERS]
    assert len(set(numbers)) == len(numbers)
    assert (chart.height, chart.width) == (height, width)
    assert chart.masks.shape == (len(chart), height, width)
    assert chart.masks.any(axis=(1, 2)).all()
    assert ((chart.confidences >= 0) & (chart.confidences <= 1)).all()
    assert ((chart.scores >= 0) & (chart.scores <= 1)).all()
    assert ((chart.clicks >= 0) & (chart.clicks <= (width - 1, height - 1))).all()
    assert ((chart.boxes >= 0) & (chart.boxes <= (width, height) * 2)).all()
    assert (chart.boxes[:, :2] < chart.boxes[:, 2:]).all()


def test_image_embedding_and_windowed_image_have_the_same_numbers(segmenter: Segmenter, seeing: See) -> None:
    things = placed(400, 900)
    image, masks = drawn(things, 400, 900)
    seeing(things, Frame.of(400, 900))
    embedding = segmenter.encode(image)
    charts = {
        "image": segmenter.chart(image),
        "whole": segmenter.chart(image, windows=False),
        "embedding": segmenter.chart(embedding),
        "windowed": segmenter.chart(segmenter.windows(image, embedding)),
    }
    for chart in charts.values():
        assert_sound(chart, 400, 900)
        assert len(chart) == len(things)
        assert chart.numbers == charts["image"].numbers
        assert np.array_equal(chart.boxes, charts["image"].boxes)
        assert np.array_equal(chart.clicks, charts["image"].clicks)
        # A random numberer may name them in any order.
        assert all(max(dice(mask, true) for true in masks) > 0.9 for mask in chart.masks)
    assert np.array_equal(charts["image"].masks, charts["windowed"].masks)
    # The embedding alone has no pixels for windows, so the whole image answers.
    assert np.array_equal(charts["embedding"].masks, charts["whole"].masks)
    assert all(answer.window is None for answer in charts["embedding"].answers)
    assert all(answer.window is not None for answer in charts["image"].answers)


@pytest.mark.parametrize(
    ("height", "width", "depth"), [(200, 420, 257), (300, 170, 1), (64, 64, 1), (31, 257, 1), (1300, 2700, 1)]
)
def test_images_of_every_kind_have_sound_charts(
    segmenter: Segmenter, seeing: See, height: int, width: int, depth: int
) -> None:
    things = placed(height, width)
    image, masks = drawn(things, height, width)
    if depth > 1:  # 16 bits
        image = image.astype(np.uint16) * depth
    seeing(things, Frame.of(height, width))
    chart = segmenter.chart(image)
    assert_sound(chart, height, width)
    assert len(chart) == len(things)
    assert all(max(dice(mask, true) for true in masks) > 0.8 for mask in chart.masks)


def test_an_image_without_teeth_has_an_empty_chart(segmenter: Segmenter, seeing: See) -> None:
    seeing([], Frame.of(60, 130))
    chart = segmenter.chart(np.full((60, 130), 90, np.uint8))
    assert len(chart) == 0
    assert chart.missing == PERMANENT
    assert_sound(chart, 60, 130)


def test_what_is_no_radiograph_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ImageError, match="encode takes"):
        segmenter.chart(np.zeros((8, 8, 3), np.uint8))


# So low an image is encoded in no time.
SLIT = np.random.default_rng(2).integers(0, 255, (16, 400), dtype=np.uint8)
SIZE = (200, 400)
BOXES = np.array([[20.0, 20, 50, 90], [60, 22, 95, 95], [100, 25, 130, 90], [60, 110, 95, 180]])


def test_known_numbers_stay_and_are_given_to_no_other(segmenter: Segmenter) -> None:
    free = segmenter.number(BOXES, SIZE)
    assert len(free.numbers) == len(free.alternatives) == 4
    assert free.confidences.shape == (4,)
    assert ((free.confidences >= 0) & (free.confidences <= 1)).all()
    taken = next(name for name in free.numbers if name in NUMBERS)
    row = (free.numbers.index(taken) + 1) % 4
    known: list[str | None] = [None] * 4
    known[row] = taken
    held = segmenter.number(BOXES, SIZE, known)
    assert held.numbers[row] == taken
    assert held.confidences[row] == 1
    assert held.numbers.count(taken) == 1
    named = segmenter.number(BOXES, SIZE, [IMPLANT, None, None, None])
    assert named.numbers[0] == IMPLANT
    for alternatives in free.alternatives:
        shares = [share for _, share in alternatives]
        assert len(shares) == 3
        assert shares == sorted(shares, reverse=True)
        assert all(name in NUMBERS for name, _ in alternatives)


def test_a_mask_that_fits_its_box_counts_with_its_shape(segmenter: Segmenter) -> None:
    x0, y0, x1, y1 = (int(side) for side in BOXES[0])
    bits = np.zeros((y1 - y0, x1 - x0), bool)
    bits[:, : bits.shape[1] // 2] = bits[::2] = True  # as wide as its box
    fits, elsewhere = BoxedMask(x0, y0, bits), BoxedMask(x0 + 200, y0, bits)
    plain = segmenter.number(BOXES, SIZE)
    none = segmenter.number(BOXES, SIZE, masks=[None] * 4)
    off = segmenter.number(BOXES, SIZE, masks=[elsewhere, None, None, None])
    shaped = segmenter.number(BOXES, SIZE, masks=[fits, None, None, None])
    assert plain.alternatives == none.alternatives == off.alternatives
    assert shaped.alternatives != plain.alternatives
    # In another place in the array the same mask is the same.
    loose = BoxedMask(x0 - 10, y0 - 10, np.pad(bits, 10))
    assert segmenter.number(BOXES, SIZE, masks=[loose, None, None, None]).alternatives == shaped.alternatives


def test_no_boxes_have_no_numbers(segmenter: Segmenter) -> None:
    found = segmenter.number(np.zeros((0, 4)), (40, 90))
    assert (found.numbers, found.confidences.shape, found.alternatives) == ((), (0,), ())


@pytest.mark.parametrize(
    ("boxes", "known", "message"),
    [
        (BOXES[0], None, "boxes must be (P, 4) finite numbers, not (4,)"),
        (BOXES[:, :2], None, "boxes must be (P, 4) finite numbers, not (4, 2)"),
        (BOXES * np.nan, None, "boxes must be (P, 4) finite numbers"),
        (BOXES, ["11"], "known must have a number or None for each of 4 boxes, not 1"),
    ],
)
def test_boxes_that_are_none_are_refused(
    segmenter: Segmenter, boxes: np.ndarray, known: list[str | None] | None, message: str
) -> None:
    with pytest.raises(PromptError) as caught:
        segmenter.number(boxes, (40, 90), known)
    assert message in str(caught.value)


def test_masks_that_are_not_one_for_each_box_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(PromptError, match="masks must have a mask or None for each of 4 boxes, not 1"):
        segmenter.number(BOXES, SIZE, masks=[None])


def test_a_model_without_a_head_says_how_to_get_one(tmp_path: Path) -> None:
    for given, named in ((None, "dentasam-tiny alone"), (tmp_path, str(tmp_path))):
        bare = load_torch(BASE, device="cpu", precision="fp32", chart=given)
        assert (bare.has_chart, bare.chart_sha256) == (False, None)
        for refused in (partial(bare.chart, SLIT), partial(bare.number, BOXES, SIZE)):
            with pytest.raises(ChartError) as caught:
                refused()
            assert str(caught.value).startswith(f"{named}: has no chart head (chart.safetensors, chart.json)")
            assert "dentasam train --recipe chart" in str(caught.value)


def test_a_head_is_copied_into_the_folder_of_an_exported_model(
    segmenter: Segmenter, tmp_path: Path, base_sha256: str
) -> None:
    segmenter.copy_chart(tmp_path)
    assert sha256_of(tmp_path / WEIGHTS) == segmenter.chart_sha256
    assert load_head(tmp_path)[1].base_model == "bright"
    # One that would be refused there is not copied, and where there is none there is nothing to copy.
    other = Segmenter(BrightNetwork(), segmenter.info, MergedAdapter(None, "", None), chart=tmp_path)
    save_head(small_head(), tmp_path, card_of(base_sha256))
    (tmp_path / "export").mkdir()
    with pytest.raises(ChartError, match="not on the base in use"):
        other.copy_chart(tmp_path / "export")
    Segmenter(BrightNetwork(), segmenter.info, MergedAdapter(None, "", None)).copy_chart(tmp_path / "export")
    assert list((tmp_path / "export").iterdir()) == []


def test_a_head_of_another_base_is_refused(tmp_path: Path, base_sha256: str) -> None:
    save_head(small_head(), tmp_path, replace(card_of(base_sha256), base_sha256="0" * 64))
    other = load_torch(BASE, device="cpu", chart=tmp_path)
    assert other.has_chart
    with pytest.raises(ChartError, match="not on the base in use") as caught:
        other.chart(SLIT)
    assert str(caught.value).startswith(str(tmp_path / WEIGHTS))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, base_sha256: str) -> Path:
    """The bundled adapter with a small head of its own."""
    folder = tmp_path_factory.mktemp("adapters") / "teeth"
    folder.mkdir()
    for name in (CONFIG, ADAPTER_WEIGHTS, ADAPTER_CARD):
        shutil.copyfile(find_adapter("panoramic-teeth") / name, folder / name)
    save_head(small_head(1), folder, card_of(base_sha256, AdapterIdentity.of(folder)))
    return folder


def test_an_adapter_brings_its_head_also_when_it_is_merged(adapter: Path) -> None:
    segmenter = load_torch(BASE, adapter, device="cpu", precision="fp32")
    assert segmenter.has_chart
    assert segmenter.chart_sha256 == sha256_of(adapter / WEIGHTS)
    numbering = segmenter.number(BOXES, SIZE)
    merged = segmenter.merged()
    assert merged is not segmenter
    assert merged.chart_sha256 == segmenter.chart_sha256
    again = merged.number(BOXES, SIZE)
    assert again.numbers == numbering.numbers
    assert np.array_equal(again.confidences, numbering.confidences)
    # The head belongs to the adapter's embeddings alone.
    segmenter.use_adapter(None)
    assert not segmenter.has_chart
    segmenter.use_adapter(adapter)
    assert segmenter.has_chart


def test_a_head_that_was_replaced_is_noticed(adapter: Path, tmp_path: Path, base_sha256: str) -> None:
    folder = tmp_path / "teeth"
    shutil.copytree(adapter, folder)
    segmenter = load_torch(BASE, folder, device="cpu", precision="fp32")
    before = segmenter.number(BOXES, SIZE)
    sha256 = segmenter.chart_sha256
    card = card_of(base_sha256, AdapterIdentity.of(folder))
    save_head(small_head(5), folder, card)
    os.utime(folder / WEIGHTS, ns=(0, 1_000_000_000))
    assert segmenter.chart_sha256 == sha256_of(folder / WEIGHTS) != sha256
    after = segmenter.number(BOXES, SIZE)
    assert not np.array_equal(before.confidences, after.confidences)
    fresh = load_torch(BASE, folder, device="cpu", precision="fp32")
    assert np.array_equal(fresh.number(BOXES, SIZE).confidences, after.confidences)
    (folder / WEIGHTS).unlink()
    assert not segmenter.has_chart
    with pytest.raises(ChartError, match=f"the adapter {folder}: has no chart head"):
        segmenter.number(BOXES, SIZE)


def test_a_head_of_another_adapter_is_refused(adapter: Path, tmp_path: Path, head_folder: Path) -> None:
    folder = tmp_path / "teeth"
    shutil.copytree(adapter, folder)
    for path in head_folder.iterdir():
        shutil.copyfile(path, folder / path.name)
    segmenter = load_torch(BASE, folder, device="cpu")
    with pytest.raises(ChartError, match="trained on embeddings of the base alone, not of the adapter in use"):
        segmenter.chart(SLIT)
