"""What a recipe means for each step, with and without stages."""

import torch

from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.recipe.recipe_file import load_recipe
from dentasam.training.recipe.step_plan import RunPlan
from dentasam.training.step.click_terms import ClickTerms
from dentasam.training.step.loss import MaskLoss
from dentasam.training.step.step_settings import StepSettings


def test_a_recipe_without_stages_has_crops_first_and_whole_images_last() -> None:
    settings = ["crop.share=0.25", "crop.size=256", "budget.epochs=2", "decode_memory_mb=3", "objective.bce=4"]
    settings += ["object_windows.share=0", "schedule.iterations_drawn={}"]
    plan = RunPlan.of(load_recipe("encoder+decoder", [*settings, "windowed_objective=false"]), 10, torch.bfloat16)
    assert plan.total_steps == 10
    assert [plan.at(step).crop for step in range(11)] == [256] * 2 + [None] * 9
    first = plan.at(0)
    assert (first.number, first.images, first.objects_per_image, first.shapes_share) == (0, 2, 8, 0.0)
    assert first.settings == StepSettings(
        ClickSchedule(8, 2, 0.5, 0.2, 0.15, 1.0),
        MaskLoss(1.0, 4.0, 0.05),
        False,
        torch.bfloat16,
        3 * 2**20,
        ClickTerms(1.0, 0.5),
    )
    assert not first.running_statistics
    assert not plan.statistics_ever_run
    assert plan.batch_sizes == [2]
    assert plan.learning_rate(0, 0.0) == 5e-4 / 40


def test_stages_follow_each_other() -> None:
    plan = RunPlan.of(load_recipe("dentasam-tiny"), 4000)
    assert plan.total_steps == 3780
    steps = (0, 499, 500, 3079, 3080, 3779, 4000)
    assert [plan.at(step).crop for step in steps] == [256, 256, 320, 320, None, None, None]
    assert [plan.at(step).images for step in steps] == [4, 4, 6, 6, 2, 2, 2]
    assert [plan.at(step).settings.schedule.corrections for step in steps[:4]] == [2, 2, 3, 7]
    assert [plan.at(step).running_statistics for step in steps] == [True] * 4 + [False] * 3
    assert plan.at(0).shapes_share == 0.3
    assert [plan.at(step).settings.schedule.random_share for step in steps] == [0.5] * 7
    assert plan.statistics_ever_run
    assert plan.batch_sizes == [2, 4, 6]


def test_steps_on_object_windows_are_drawn_by_the_seed() -> None:
    drawn = {"1": 0.25, "3": 0.75}
    recipe = load_recipe(
        "encoder+decoder", ["object_windows.share=0.6", f"schedule.iterations_drawn={drawn}", "seed=5"]
    )
    plan = RunPlan.of(recipe, 4000)
    kinds = [plan.at(step) for step in range(600)]
    windows = [step for step in kinds if step.object_windows is not None]
    assert abs(len(windows) / 600 - 0.6) < 0.06
    assert {step.settings.schedule.iterations for step in windows} == {3, 5, 8, 11}
    assert {step.settings.schedule.mask_only for step in kinds} == {0}
    assert not any(step.settings.windowed_loss for step in windows)
    whole = [step.settings.schedule.iterations for step in kinds if step.object_windows is None]
    assert set(whole) == {1, 3}
    assert abs(whole.count(1) / len(whole) - 0.25) < 0.09
    assert [RunPlan.of(recipe, 4000).at(step) for step in range(20)] == kinds[:20]
    other = RunPlan.of(recipe.model_copy(update={"seed": 6}), 4000)
    assert [other.at(step).object_windows is None for step in range(20)] != [
        step.object_windows is None for step in kinds[:20]
    ]


def test_a_recipe_without_object_windows_is_planned_as_before() -> None:
    recipe = load_recipe("hq")
    assert not recipe.trains_object_windows
    plan = RunPlan.of(recipe, 100)
    assert all(plan.at(step).object_windows is None for step in range(100))
    assert {plan.at(step).settings.schedule.iterations for step in range(20)} == {11}
    assert all(plan.at(step).full_widths is None for step in range(20))
