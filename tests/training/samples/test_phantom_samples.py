import cv2
import numpy as np
import pytest
import torch

from dentasam.training.recipe.sections import Stage
from dentasam.training.recipe.settings import Recipe
from dentasam.training.recipe.step_plan import RunPlan
from dentasam.training.samples.phantom_samples import PhantomSamples
from dentasam.training.samples.phantom_scenes import SceneObject, click_on_part

RECIPE = Recipe(
    scope="full",
    stages=(
        Stage(steps=3, window=192, batch_images=2, objects_per_image=4, corrections=1, shapes_share=0.5),
        Stage(steps=2, window=None, batch_images=1, objects_per_image=6, corrections=2, batch_norm="frozen"),
    ),
    seed=3,
)
PLAN = RunPlan.of(RECIPE, 0)


@pytest.fixture(scope="module")
def samples() -> PhantomSamples:
    return PhantomSamples(PLAN)


def test_stages_follow_each_other(samples: PhantomSamples) -> None:
    assert len(samples) == 5
    assert [PLAN.at(step).crop is not None for step in range(5)] == [True] * 3 + [False] * 2
    assert [len(samples[step]) for step in (0, 4)] == [2, 1]


def test_samples_of_a_step_share_one_frame_at_a_place_of_the_grid(samples: PhantomSamples) -> None:
    places = set()
    for step in range(3):
        first, second = samples[step]
        assert first.frame == second.frame
        assert (first.frame.rows, first.frame.cols) == (12, 12)
        assert first.frame.left + 12 <= 64
        places.add((first.frame.top, first.frame.left))
    assert len(places) > 1


def test_same_step_gives_the_same_bits_and_shares_out_over_processes(samples: PhantomSamples) -> None:
    whole = samples[1]
    shared = [PhantomSamples(PLAN, rank, 2)[1] for rank in range(2)]
    for sample, (other,) in zip(whole, shared, strict=True):
        assert sample.pixels is not None
        assert other.pixels is not None
        assert torch.equal(sample.pixels, other.pixels)
        assert torch.equal(sample.masks, other.masks)


def test_masks_lie_where_the_image_shows_them(samples: PhantomSamples) -> None:
    (sample,) = samples[4]
    assert 1 <= len(sample.masks) <= 6
    assert sample.masks.shape[1:] == sample.frame.logits
    assert sample.masks.amax() <= 1
    assert sample.pixels is not None
    gray = torch.nn.functional.avg_pool2d(sample.pixels, 4)[0, 0].numpy()
    brighter = []
    for mask in sample.masks.numpy():
        ring = np.maximum(mask, _grown(mask)) > 0.5
        brighter.append(gray[mask > 0.5].mean() - gray[ring & ~(mask > 0.5)].mean())
    # teeth are brighter than what is around them
    assert np.median(brighter) > 0


def _grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask, np.ones((7, 7), np.uint8))


def test_stages_are_for_full_training_only() -> None:
    with pytest.raises(ValueError, match="pretraining"):
        Recipe(scope="decoder", stages=RECIPE.stages)


def _part(x: int, y: int, mask: np.ndarray, category: str) -> SceneObject:
    return SceneObject(x, y, (mask * 255).astype(np.uint8), int(mask.sum()), category)


def test_a_click_on_a_part_means_the_whole_around_it() -> None:
    tooth = _part(10, 20, np.ones((60, 40), bool), "36")
    inside = _part(20, 30, np.ones((9, 5), bool), "restoration")
    reaching_out = _part(45, 30, np.ones((9, 30), bool), "caries")
    neighbour = _part(20, 50, np.ones((9, 5), bool), "37")
    click, rng = np.array([1, 2], np.float32), np.random.default_rng(0)
    assert click_on_part(tooth, [tooth, reaching_out, inside, neighbour], click, rng).tolist() == [22, 32]
    assert click_on_part(tooth, [tooth, reaching_out, neighbour], click, rng).tolist() == [1, 2]
    assert click_on_part(inside, [tooth, inside], click, rng).tolist() == [1, 2]
    cover = _part(10, 20, np.ones((58, 40), bool), "restoration")  # a part that is nearly the whole is not ambiguous
    assert click_on_part(tooth, [cover], click, rng).tolist() == [1, 2]
    post = _part(21, 31, np.ones((3, 1), bool), "restoration")  # a part of a part
    assert click_on_part(inside, [tooth, inside, post], click, rng).tolist() == [21, 31]


def test_a_share_of_the_first_clicks_in_windows_is_on_parts() -> None:
    """The clicked objects are larger than the part, and both samples have the same objects."""

    def clicks(share: float) -> list[tuple[np.ndarray, tuple[str, ...]]]:
        recipe = Recipe(
            scope="full",
            seed=5,
            stages=(Stage(steps=6, batch_images=1, objects_per_image=8, corrections=1, object_windows=1.0),),
            phantoms={"images": 40, "full_widths": (1200, 1300), "shapes_share": 0, "clicks_on_parts": share},
        )
        samples = PhantomSamples(RunPlan.of(recipe, 0))
        found = [sample for step in range(6) for sample in samples[step]]
        return [(sample.full.clicks, sample.categories) for sample in found if sample.full is not None]

    moved = 0
    for (plain, categories), (on_parts, same) in zip(clicks(0.0), clicks(1.0), strict=True):
        assert categories == same
        moved += int((plain != on_parts).any(axis=1).sum())
    assert moved > 0


def test_whole_images_of_a_step_share_one_frame_and_steps_differ() -> None:
    stage = Stage(steps=8, batch_images=2, objects_per_image=2, corrections=0, object_windows=0.5)
    recipe = Recipe(scope="full", seed=5, stages=(stage,), phantoms={"images": 4, "full_widths": (700, 800)})
    samples = PhantomSamples(RunPlan.of(recipe, 0))
    rows = set()
    for step in range(8):
        first, second = samples[step]
        assert first.frame == second.frame
        rows.add(first.frame.rows)
    assert len(rows) > 1
