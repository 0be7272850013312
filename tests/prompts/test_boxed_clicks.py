"""Clicks computed in the box around prediction and truth are those on the whole image, to the bit."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.errors import PromptError
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.prompts.correction_clicks import (
    boxed_correction_click,
    boxed_interior_centre,
    correction_clicks,
    interior_centre,
)

HEIGHT, WIDTH = 40, 70


def shape(seed: int, blurred: float, share: float) -> np.ndarray:
    """A mask with any number of regions, many of them at the image's border, and many of the same size."""
    rng = np.random.default_rng(seed)
    grain = rng.normal(size=(HEIGHT, WIDTH)).astype(np.float32)
    noise = cv2.GaussianBlur(grain, (0, 0), blurred) if blurred else grain
    mask = noise > np.quantile(noise, 1 - share)
    # Often only a part of the image, so that boxes differ from the image.
    x0, x1 = np.sort(rng.integers(0, WIDTH + 1, 2))
    y0, y1 = np.sort(rng.integers(0, HEIGHT + 1, 2))
    kept = np.zeros_like(mask)
    kept[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return kept


masks = st.builds(
    shape,
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.sampled_from([0.0, 0.02, 0.3, 0.7, 1.0]),
)


@settings(max_examples=300, deadline=None)
@given(prediction=masks, truth=masks)
def test_a_correction_in_the_joint_box_is_that_on_the_image(prediction: np.ndarray, truth: np.ndarray) -> None:
    whole = correction_clicks(prediction[None], truth[None])
    boxed = boxed_correction_click(BoxedMask(0, 0, prediction).tight(), BoxedMask(0, 0, truth).tight())
    if whole.found[0]:
        assert boxed == (*whole.points[0].tolist(), whole.labels[0])
    else:
        assert boxed is None


@settings(max_examples=100, deadline=None)
@given(mask=masks.filter(lambda mask: bool(mask.any())))
def test_an_interior_centre_in_the_box_is_that_on_the_image(mask: np.ndarray) -> None:
    (whole,) = interior_centre(mask[None])
    assert boxed_interior_centre(BoxedMask(0, 0, mask).tight()) == tuple(whole.tolist())


def test_an_empty_mask_has_no_interior() -> None:
    with pytest.raises(PromptError, match="empty"):
        boxed_interior_centre(BoxedMask(0, 0, np.zeros((0, 0), bool)))
