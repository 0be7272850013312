"""Samples: the right pixels at the right place of the frame, objects that can be seen, and the same ones again."""

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.errors import DatasetError
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import EncoderPrefix
from dentasam.training.recipe.sections import Phantoms
from dentasam.training.recipe.step_plan import RunPlan
from dentasam.training.samples.augmentation import Variation
from dentasam.training.samples.crop import crop_sample
from dentasam.training.samples.image_samples import TrainingSamples
from dentasam.training.samples.sample import Sample, encoder_groups, step_loader
from dentasam.training.samples.sources import Case, DatasetSource, PhantomSource, make_case
from dentasam.training.samples.whole_image import whole_sample

from ..small_run import Ellipses, small_recipe

HEIGHT, WIDTH = 300, 620


@pytest.fixture(scope="module")
def case() -> Case:
    """Six discs in two rows, each with a category of its own, on a gradient."""
    image = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    masks = np.zeros((6, HEIGHT, WIDTH), np.uint8)
    for index, (x, y) in enumerate([(100, 90), (300, 90), (500, 90), (100, 220), (300, 220), (500, 220)]):
        cv2.circle(masks[index], (x, y), 30, 1, -1)
    return make_case(image, masks.astype(bool), ("11", "12", "21", "31", "41", "caries"), "sha")


def full_masks() -> np.ndarray:
    masks = np.zeros((6, HEIGHT, WIDTH), np.uint8)
    for index, (x, y) in enumerate([(100, 90), (300, 90), (500, 90), (100, 220), (300, 220), (500, 220)]):
        cv2.circle(masks[index], (x, y), 30, 1, -1)
    return masks.astype(bool)


def test_whole_sample_is_what_the_frame_gives(case: Case) -> None:
    sample = whole_sample(case)
    frame = Frame.of(HEIGHT, WIDTH)
    image = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    assert sample.frame == frame
    assert sample.pixels is not None
    torch.testing.assert_close(sample.pixels, frame.pixels(image), atol=1e-3, rtol=0)
    torch.testing.assert_close(sample.masks, frame.masks_to_logits(full_masks()), atol=0.15, rtol=0)
    assert (sample.masks - frame.masks_to_logits(full_masks())).abs().mean() < 1e-3
    assert sample.categories == case.categories


def test_objects_of_windows_are_repeated_where_there_are_too_few() -> None:
    """A GPU prepares anew for every number of windows."""
    case = Ellipses(1, 3).case(0)
    for asked, places in ((8, [0, 1, 2, 0, 1, 2, 0, 1]), (2, None)):
        sample = whole_sample(case, objects=asked, rng=np.random.default_rng(1), random_first=0.0, fill_up=True)
        assert sample.full is not None
        assert (
            len(sample.masks) == len(sample.full.masks) == len(sample.full.clicks) == len(sample.categories) == asked
        )
        if places is not None:
            assert torch.equal(sample.masks, sample.masks[:3][places])
            assert np.array_equal(sample.full.clicks, sample.full.clicks[:3][places])
    assert len(whole_sample(case, objects=8, rng=np.random.default_rng(1), random_first=0.0).masks) == 3


def test_sixteen_bit_image_keeps_its_levels() -> None:
    image = np.linspace(0, 65535, 64 * 128).reshape(64, 128).astype(np.uint16)
    case = make_case(image, np.ones((1, 64, 128), bool), ("11",))
    frame = Frame.of(64, 128)
    pixels = whole_sample(case).pixels
    assert pixels is not None
    torch.testing.assert_close(pixels, frame.pixels(image), atol=1e-3, rtol=0)


def test_flipped_sample_swaps_sides_and_numbers(case: Case) -> None:
    plain, flipped = whole_sample(case), whole_sample(case, Variation(flip=True))
    assert flipped.categories == ("21", "22", "11", "41", "31", "caries")
    torch.testing.assert_close(flipped.masks, plain.masks.flip(-1), atol=0.51, rtol=0)
    assert (flipped.masks - plain.masks.flip(-1)).abs().mean() < 2e-3
    assert plain.pixels is not None
    assert flipped.pixels is not None
    torch.testing.assert_close(flipped.pixels[0, 0, :495], plain.pixels[0, 0, :495].flip(-1))


def test_crop_is_a_piece_of_the_whole_at_its_own_place(case: Case) -> None:
    whole = whole_sample(case)
    rng = np.random.default_rng(0)
    for seed in range(10):
        places = np.random.default_rng(seed).random((64, 2))
        sample = crop_sample(case, Variation(), 256, 99, places, rng)
        frame = sample.frame
        assert (frame.rows, frame.cols) == (16, 16)
        assert 0 <= frame.top <= whole.frame.rows - 16
        assert 0 <= frame.left <= whole.frame.cols - 16
        y, x = frame.top * 16, frame.left * 16
        assert sample.pixels is not None
        assert whole.pixels is not None
        assert torch.equal(sample.pixels, whole.pixels[..., y : y + 256, x : x + 256])
        assert len(sample.masks) >= 1
        for mask, category in zip(sample.masks, sample.categories, strict=True):
            all_of_it = whole.masks[case.categories.index(category)]
            assert torch.equal(mask, all_of_it[y // 4 : y // 4 + 64, x // 4 : x // 4 + 64])
            assert mask.sum() >= 0.5 * all_of_it.sum() - 1e-3


def test_crops_hold_objects_wherever_the_first_try_falls(case: Case) -> None:
    corner = np.array([[0.0, 0.999], [0.0, 0.0], [0.3, 0.1]])
    counts = [
        len(crop_sample(case, Variation(), 160, 9, corner[:tries], np.random.default_rng(0)).masks)
        for tries in (1, 2, 3)
    ]
    assert counts[0] == 0  # nothing to see there
    assert counts[2] >= 1


def test_crop_larger_than_the_frame_takes_all_of_it(case: Case) -> None:
    places = np.random.default_rng(0).random((4, 2))
    sample = crop_sample(case, Variation(), 1024, 9, places, np.random.default_rng(0))
    whole = whole_sample(case)
    assert (sample.frame.rows, sample.frame.cols) == (whole.frame.rows, whole.frame.cols)
    assert torch.equal(sample.masks, whole.masks)


def test_objects_pushed_out_of_the_image_are_left_out() -> None:
    masks = np.zeros((2, 128, 256), bool)
    masks[0, :12, :12] = True
    masks[1, 50:80, 100:150] = True
    case = make_case(np.zeros((128, 256), np.uint8), masks, ("18", "11"))
    assert whole_sample(case, Variation(scale=1.5)).categories == ("11",)
    assert whole_sample(case).categories == ("18", "11")


def test_up_to_so_many_objects_are_drawn_evenly(case: Case) -> None:
    seen = [
        category
        for seed in range(200)
        for category in whole_sample(case, objects=2, rng=np.random.default_rng(seed)).categories
    ]
    assert len(seen) == 400
    for category in case.categories:
        assert 40 <= seen.count(category) <= 95


def equal(one: Sample, other: Sample) -> bool:
    assert one.pixels is not None
    assert other.pixels is not None
    return (
        torch.equal(one.pixels, other.pixels)
        and torch.equal(one.masks, other.masks)
        and (one.frame, one.categories, one.position) == (other.frame, other.categories, other.position)
    )


def test_samples_depend_on_seed_and_step_alone() -> None:
    recipe = small_recipe("crop.share=0.5", "batch_images=4")
    samples, again = (TrainingSamples(Ellipses(), RunPlan(recipe, 6)) for _ in range(2))
    last_first = [again[step] for step in reversed(range(6))][::-1]
    for step in range(6):
        assert all(equal(a, b) for a, b in zip(samples[step], last_first[step], strict=True))
    other = TrainingSamples(Ellipses(), RunPlan(small_recipe("crop.share=0.5", "batch_images=4", "seed=1"), 6))
    assert not all(equal(a, b) for a, b in zip(samples[5], other[5], strict=True))


def test_processes_share_out_the_batch() -> None:
    recipe = small_recipe("batch_images=3")
    whole = TrainingSamples(Ellipses(), RunPlan(recipe, 4))
    shares = [TrainingSamples(Ellipses(), RunPlan(recipe, 4), rank, 2) for rank in range(2)]
    for step in range(4):
        together = [sample for share in shares for sample in share[step]]
        assert len(together) == 3
        assert all(equal(a, b) for a, b in zip(whole[step], together, strict=True))


def test_every_image_once_an_epoch_in_a_new_order() -> None:
    class Asked(Ellipses):
        def case(self, index: int, epoch: int = 0) -> Case:
            asked.append((epoch, index))
            return super().case(index, epoch)

    asked: list[tuple[int, int]] = []
    samples = TrainingSamples(Asked(), RunPlan(small_recipe("batch_images=4"), 9))
    for step in range(9):
        samples[step]
    orders = [[index for epoch, index in asked if epoch == wanted] for wanted in range(6)]
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len({tuple(order) for order in orders}) > 3


def test_crops_come_first_and_whole_images_last() -> None:
    samples = TrainingSamples(Ellipses(), RunPlan(small_recipe("crop.share=0.75"), 8))
    widths = [samples[step][0].frame.cols for step in range(8)]
    assert widths == [4] * 6 + [64] * 2


@pytest.mark.parametrize("workers", [0, 1])
def test_loader_starts_at_a_step(workers: int) -> None:
    samples = TrainingSamples(Ellipses(), RunPlan(small_recipe(f"workers={workers}"), 5))
    loaded = list(step_loader(samples, 3))
    assert len(loaded) == 2
    assert all(equal(a, b) for a, b in zip(loaded[0], samples[3], strict=True))
    assert all(equal(a, b) for a, b in zip(loaded[1], samples[4], strict=True))


class Counted(Ellipses):
    """Counts over all processes how many images were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = torch.zeros(1, dtype=torch.long).share_memory_()

    def case(self, index: int, epoch: int = 0) -> Case:
        self.count += 1
        return super().case(index, epoch)


def test_the_next_steps_are_prepared_while_one_is_taken() -> None:
    source = Counted()
    loader = iter(step_loader(TrainingSamples(source, RunPlan(small_recipe("workers=1", "batch_images=1"), 9)), 0))
    next(loader)  # and nothing more is asked for
    deadline = time.monotonic() + 60
    while int(source.count) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert int(source.count) == 3
    del loader


def test_pinned_samples_are_the_same(monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    """There is nothing to pin for without a GPU: what is asked of torch stands for it."""
    pinned: list[int] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: (pinned.append(id(tensor)), tensor.clone())[1])
    sample = whole_sample(case)
    again = sample.pin_memory()
    assert equal(sample, again)
    assert pinned == [id(sample.pixels), id(sample.masks)]
    stored = replace(sample, pixels=None, output=EncoderPrefix(torch.ones(1, 2), None, 3), cache_key="key")
    output = stored.pin_memory().output
    assert isinstance(output, EncoderPrefix)
    assert (output.tokens.tolist(), output.intermediate, output.stop) == ([[1, 1]], None, 3)
    assert len(pinned) == 4


def test_encoder_groups_join_what_stands_at_one_place(case: Case) -> None:
    def at(left: int, position: int, objects: int = 1) -> Sample:
        frame = Frame(64, 64, 1.0, 4, 4, 0, left)
        return Sample(
            torch.zeros(1, 3, 64, 64), None, frame, torch.ones(objects, 16, 16), ("11",) * objects, position
        )

    groups = encoder_groups([at(0, 0), at(5, 1), at(0, 2), at(0, 3), at(0, 4, objects=0)], 2)
    assert [[sample.position for sample in group] for group in groups] == [[0, 2], [3], [1]]


def test_dataset_source_decodes_once_and_keeps_within_its_limit(tmp_path: Path) -> None:
    path = write_phantoms(tmp_path, count=3, seed=1, width=256, height=128)
    source = DatasetSource(Dataset.load(path), keep_mb=64)
    first = source.case(0)
    record = source.records[0]
    assert len(first.coverages) == len(record.objects)
    assert first.categories == tuple(item.category for item in record.objects)
    assert source.case(0) is first
    # coverage is 8 times finer than the image here, so its area is 16 times the object's
    for plane, item in zip(first.coverage(), record.objects, strict=True):
        assert float(plane.sum()) == pytest.approx(4 * item.area, rel=0.05)
    forgetful = DatasetSource(Dataset.load(path), keep_mb=0)
    assert forgetful.case(0) is not forgetful.case(0)
    assert np.array_equal(forgetful.case(0).gray, first.gray)


def test_dataset_without_objects(tmp_path: Path) -> None:
    path = write_phantoms(tmp_path, count=1, seed=1, width=256, height=128)
    dataset = Dataset.load(path)
    with pytest.raises(DatasetError, match="no image has an object"):
        DatasetSource(Dataset(dataset.path, ()))


def test_phantoms_are_new_each_epoch_and_held_out_ones_stay() -> None:
    settings = Phantoms(images=3, width=256, height=128, shapes_share=0.3)
    source, held_out = PhantomSource(settings, 0), PhantomSource(settings, 0, held_out=True)
    assert np.array_equal(source.case(1, 0).gray, PhantomSource(settings, 0).case(1, 0).gray)
    grays = [source.case(index, epoch).gray for index in range(2) for epoch in range(2)]
    grays.append(held_out.case(0, 0).gray)
    for place, gray in enumerate(grays):
        assert not any(np.array_equal(gray, other) for other in grays[place + 1 :])
    assert np.array_equal(held_out.case(0, 0).gray, held_out.case(0, 5).gray)
