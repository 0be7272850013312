"""Overlap, boundary and NoC against torchmetrics, MONAI and pencil and paper."""

import warnings

import cv2
import numpy as np
import pytest
import torch

from dentasam.evaluation.metrics import boxed_overlap, boxed_surface_fit, clicks_needed, overlap, surface_fit
from dentasam.model.windows.boxed_mask import BoxedMask


def blob(seed: int, height: int = 60, width: int = 90, share: float = 0.3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return smooth > np.quantile(smooth, 1 - share)


def pixel(x: int, y: int) -> np.ndarray:
    mask = np.zeros((60, 90), bool)
    mask[y, x] = True
    return mask


PAIRS = {
    "blobs": (blob(1), blob(2)),
    "near": (blob(3, share=0.30), blob(3, share=0.34)),
    "equal": (blob(4), blob(4)),
    "at the border": (np.pad(np.ones((20, 30), bool), ((0, 40), (0, 60))), blob(5)),
    "whole image": (np.ones((60, 90), bool), blob(6)),
    "one pixel each": (pixel(3, 4), pixel(80, 50)),
    "line": ((np.arange(60)[:, None] == 10) & np.ones(90, bool), blob(7)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_overlap_is_that_of_torchmetrics(name: str) -> None:
    from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

    prediction, truth = PAIRS[name]
    dice, iou = overlap(prediction[None], truth[None])
    as_tensors = torch.tensor(prediction), torch.tensor(truth).int()
    assert dice[0] == pytest.approx(float(binary_f1_score(*as_tensors)), abs=1e-6)
    assert iou[0] == pytest.approx(float(binary_jaccard_index(*as_tensors)), abs=1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_masks_in_boxes_have_the_same_scores(name: str) -> None:
    prediction, truth = PAIRS[name]
    boxed = [BoxedMask(0, 0, mask).tight() for mask in (prediction, truth)]
    (dice,), (iou,) = overlap(prediction[None], truth[None])
    assert boxed_overlap(*boxed) == (dice, iou)
    assert boxed_surface_fit(boxed[0], boxed[1], truth.shape) == surface_fit(prediction, truth)


@pytest.mark.parametrize("name", PAIRS)
def test_surface_fit_is_that_of_monai(name: str) -> None:
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.surface_dice import compute_surface_dice

    prediction, truth = PAIRS[name]
    p, t = torch.tensor(prediction)[None, None], torch.tensor(truth)[None, None]
    tolerances = (1.0, 2.0, 2.9)
    fit = surface_fit(prediction, truth, tolerances)
    hd95 = compute_hausdorff_distance(p, t, include_background=True, percentile=95)
    assert fit.hd95 == pytest.approx(float(hd95), abs=1e-4)
    for tolerance, found in zip(tolerances, fit.nsd, strict=True):
        nsd = compute_surface_dice(p, t, class_thresholds=[tolerance], include_background=True)
        assert found == pytest.approx(float(nsd), abs=1e-6)


def test_empty_masks_have_finite_scores() -> None:
    empty, full = np.zeros((30, 40), bool), np.ones((30, 40), bool)
    dice, iou = overlap(np.stack([empty, empty, full]), np.stack([empty, full, empty]))
    assert dice.tolist() == iou.tolist() == [1, 0, 0]
    assert (surface_fit(empty, empty).hd95, surface_fit(empty, empty).nsd) == (0, (1,))
    nothing, all_ = BoxedMask(0, 0, empty).tight(), BoxedMask(0, 0, full)
    assert [boxed_overlap(*pair) for pair in ((nothing, nothing), (nothing, all_))] == [(1, 1), (0, 0)]
    assert boxed_surface_fit(nothing, all_, (30, 40)).hd95 == pytest.approx(50)
    for pair in ((empty, full), (full, empty)):
        assert surface_fit(*pair).hd95 == pytest.approx(50)  # the diagonal of 30 x 40
        assert surface_fit(*pair).nsd == (0,)


def test_surface_fit_is_symmetric_and_does_not_see_where_the_object_lies() -> None:
    prediction, truth = PAIRS["near"]
    fit = surface_fit(prediction, truth)
    assert surface_fit(truth, prediction) == fit
    margins = ((700, 100), (300, 900))
    assert surface_fit(np.pad(prediction, margins), np.pad(truth, margins)) == fit


def test_clicks_needed_counted_by_hand() -> None:
    iou = np.array([[0.5, 0.8, 0.79, 0.95], [0.9, 0.9, 0.9, 0.9], [0.1, 0.2, 0.3, 0.4]])
    needed, failed = clicks_needed(iou, 0.80)
    assert needed.tolist() == [2, 1, 4]  # an object that fails counts with all its clicks
    assert failed.tolist() == [False, False, True]
    needed, failed = clicks_needed(iou, 0.95)
    assert needed.tolist() == [4, 4, 4]
    assert failed.tolist() == [False, True, True]


def test_empty_pairs_agree_with_monai_where_monai_has_a_number() -> None:
    from monai.metrics.surface_dice import compute_surface_dice

    empty, full = torch.zeros(1, 1, 30, 40), torch.ones(1, 1, 30, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nsd = compute_surface_dice(empty, full, class_thresholds=[2.0], include_background=True)
    assert (float(nsd),) == (0,) == surface_fit(np.zeros((30, 40), bool), np.ones((30, 40), bool)).nsd
