"""Object windows of training show what windows in use show, and keep truth, clicks and logits together when moved."""

from typing import Any

import numpy as np
import pytest
import torch

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import MaskPrediction
from dentasam.model.windows.window import LogitGrid, Window
from dentasam.training.object_windows import window_batch as module
from dentasam.training.object_windows.drawn_window import DrawnWindow, draw_window
from dentasam.training.object_windows.window_batch import FRAME, WindowBatch, logits_in, truth_in, window_batch
from dentasam.training.recipe.sections import Augmentation, ObjectWindows
from dentasam.training.samples.area_warp import area_warp, chained, inverse
from dentasam.training.samples.boxed_coverage import boxed
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.full_image import FullImage, frame_matrix, smoothed
from dentasam.training.samples.sources import Case, make_case
from dentasam.training.samples.whole_image import whole_sample

from ..small_run import small_model

HEIGHT, WIDTH = 600, 1400
PLAIN = Augmentation(exposure=0.0)


def teeth() -> np.ndarray:
    """Two rows of upright ellipses, (P, HEIGHT, WIDTH) bool."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    places = [(200 + 220 * row, 180 + 210 * column) for row in range(2) for column in range(6)]
    return np.stack([((y - v) / 75) ** 2 + ((x - u) / 38) ** 2 < 1 for v, u in places])


@pytest.fixture(scope="module")
def case() -> Case:
    masks = teeth()
    # each tooth in a gray of its own, so that what a window shows says which tooth it is
    image = np.full((HEIGHT, WIDTH), 20, np.uint8)
    for place, mask in enumerate(masks):
        image[mask] = 60 + 15 * place
    return make_case(image, masks, tuple(str(11 + place) for place in range(len(masks))), full_smooth_px=0.0)


def drawn(
    case: Case, monkeypatch: pytest.MonkeyPatch, by_box: bool = False, seed: int = 0, **settings: Any
) -> WindowBatch:
    """The windows of all objects, where the whole image answers with the truth."""
    model = small_model()
    sample = whole_sample(case, rng=np.random.default_rng(0), random_first=0.4)

    def answer(embedding: ImageEmbedding, prompts: Prompts, **_: object) -> MaskPrediction:
        assert prompts.layout is not None
        assert prompts.layout.box == by_box
        return MaskPrediction((sample.masks - 0.5) * 20, torch.full((len(sample.masks),), 0.9))

    monkeypatch.setattr(model, "decode", answer)
    encoding = Encoding(model, False, None, None)
    rng = np.random.default_rng(seed)
    return window_batch(model, encoding, [sample], ObjectWindows(**settings), by_box, PLAIN, [rng])


def test_a_window_that_is_not_turned_is_the_window_of_use(case: Case) -> None:
    window = Window(312.4, 51.7, 1.37, HEIGHT, WIDTH)
    assert case.full is not None
    matrix = np.array([[1.37, 0, 312.4], [0, 1.37, 51.7]])
    assert np.array_equal(area_warp(case.full.image, matrix, 384, 256), window.cut(case.full.image))
    mask = teeth()[8]
    own = boxed(mask.view(np.uint8), 255)
    assert own is not None
    truth, coverage = truth_in(own, matrix)
    wanted = window.masks_to_logits(mask[None])[0].numpy()
    assert np.abs(coverage - wanted).max() < 0.2
    assert abs(coverage.sum() / wanted.sum() - 1) < 0.005
    assert truth.shape == (192, 128)
    assert abs(truth.mean() / wanted.mean() - 1) < 0.01


def test_resampled_logits_are_those_of_use() -> None:
    frame = Frame.of(HEIGHT, WIDTH)
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 4, frame.logits).astype(np.float32)
    window = Window(312.4, 51.7, 1.37, HEIGHT, WIDTH)
    wanted = LogitGrid.of_frame(frame).resampled(logits, window.grid, window.logits)
    to_image = np.array([[1.37, 0, 312.4], [0, 1.37, 51.7]])
    found = logits_in(logits, chained(to_image, frame_matrix(frame)))
    assert np.abs(found - wanted).max() < 0.02  # OpenCV's weights have five bits


@pytest.mark.parametrize("seed", range(3))
def test_click_truth_logits_and_pixels_of_a_turned_window_belong_together(
    case: Case, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    batch = drawn(case, monkeypatch, seed=seed, rotation_deg=15, click_alone=0, box_alone=0)
    prompts, truth = batch.given.prompts, batch.given.truth
    assert prompts.logits is not None
    assert len(prompts) == len(truth) == len(batch.masks) == 12
    assert prompts.image is not None
    assert prompts.image.tolist() == list(range(12))
    spots = ((prompts.points[:, 0] - torch.tensor(FRAME.origin)) / 2).floor().long()
    assert truth[torch.arange(12), spots[:, 1], spots[:, 0]].all()
    coverage = torch.cat(batch.masks)
    coarse = torch.nn.functional.avg_pool2d(truth[:, None].float(), 2)[:, 0]
    assert (coarse - coverage).abs().max() <= 0.5
    assert (coarse - coverage).mean().abs() < 0.01 * coverage.mean()
    fed, true = prompts.logits > 0, coverage > 0.5
    assert ((fed & true).sum((1, 2)) / (fed | true).sum((1, 2))).min() > 0.9
    gray = torch.nn.functional.avg_pool2d(batch.pixels[:, :1], 4)[:, 0]
    for place, (shown, inside) in enumerate(zip(gray, coverage, strict=True)):
        values = shown[inside == 1]
        assert values.std() < 0.05, place  # one gray, where the teeth differ by 0.26


def test_windows_differ_in_size_place_and_side(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    matrices: list[np.ndarray] = []

    def spy(*arguments: Any) -> DrawnWindow:
        window = draw_window(*arguments)
        matrices.append(window.matrix)
        return window

    monkeypatch.setattr(module, "draw_window", spy)
    drawn(case, monkeypatch, click_alone=0, box_alone=0, scale_jitter=0, margin=(1.3, 2.0))
    linear = np.stack(matrices)[:, :, :2]
    scales = np.sqrt(np.abs(np.linalg.det(linear))) / (150 * 1024 / WIDTH / 384)
    assert 1.25 < scales.min() < 1.5 < 1.8 < scales.max() < 2.1
    mirrored = np.linalg.det(linear) < 0
    assert 0 < mirrored.mean() < 1


def test_without_a_mask_fed_back_and_with_a_box(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = drawn(case, monkeypatch, click_alone=0, box_alone=1).given.prompts
    assert alone.logits is not None
    assert alone.logits.isnan().all()
    boxes = drawn(case, monkeypatch, by_box=True, rotation_deg=0).given.prompts
    assert boxes.boxes is not None
    assert boxes.logits is not None
    assert (boxes.labels == -1).all()
    assert not boxes.logits.isnan().any()
    assert boxes.logits.abs().max() <= LOGIT_LIMIT
    corners = boxes.boxes - torch.tensor([*FRAME.origin, *FRAME.origin])
    sides = (corners[:, 2:] - corners[:, :2]).numpy()
    assert np.allclose(sides[:, 1] / sides[:, 0], 150 / 76, atol=0.1)


def test_smoothed_masks_lose_their_stairs_and_not_their_place() -> None:
    y, x = np.mgrid[:90, :90]
    fine = ((y - 45) / 30) ** 2 + ((x - 45) / 17) ** 2 < 1
    stairs = fine[1::3, 1::3].repeat(3, 0).repeat(3, 1)
    rough = boxed(stairs.view(np.uint8), 255)
    thin = boxed((np.abs(x - 40) < 1).astype(np.uint8), 255)
    assert rough is not None
    assert thin is not None
    smooth = smoothed(rough, 1.5)
    whole = np.zeros((90, 90), bool)
    whole[smooth.top : smooth.top + smooth.coverage.shape[0], smooth.left :][:, : smooth.coverage.shape[1]] = (
        smooth.coverage >= 128
    )
    assert (whole != fine).sum() < 0.8 * (stairs != fine).sum()
    assert smoothed(thin, 2.0) is thin
    assert smoothed(rough, 0.0) is rough


def test_full_images_keep_their_type_and_say_what_they_take(case: Case) -> None:
    image = np.arange(HEIGHT * WIDTH, dtype=np.uint32).reshape(HEIGHT, WIDTH) % 65536
    full = FullImage.of(image.astype(np.uint16), teeth(), 1.2)
    assert full.image.dtype == np.uint16
    assert full.bytes > image.size * 2
    assert case.full is not None
    assert case.bytes > case.full.bytes >= case.full.image.nbytes


def test_maps_are_inverted_and_chained() -> None:
    first, then = np.array([[1.1, 0.3, 5], [-0.2, 0.9, 7]]), np.array([[-0.5, 0.1, 3], [0.2, 0.6, -1]])
    assert np.allclose(chained(first, inverse(first)), [[1, 0, 0], [0, 1, 0]])
    point = np.array([3.0, 4.0])
    moved = first[:, :2] @ point + first[:, 2]
    assert np.allclose(chained(first, then) @ [*point, 1], then @ [*moved, 1])
