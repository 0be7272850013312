"""Each measure moves with what it is named for, and none is taken of a thumbnail."""

from dataclasses import asdict

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.data.phantom import generate
from dentasam.data.quality.objects.boxed_objects import BoxedObject
from dentasam.data.quality.pixels.image_measures import METAL_LEVEL, ImageMeasures, measure
from dentasam.data.quality.pixels.image_problems import MAX_BLANK, MAX_NOISE, measured_problems
from dentasam.data.quality.pixels.outliers import MIN_SHARPNESS
from dentasam.data.record import ObjectRecord
from dentasam.model.windows.boxed_mask import BoxedMask

from ..phantom_set import record_of, teeth_of

SEEDS = (3, 8, 21)


def measured(seed: int, *conditions: str, width: int = 1024) -> ImageMeasures:
    phantom = generate(seed, width, width // 2, conditions)
    found = measure(phantom.image, teeth_of(record_of(phantom)))
    assert found is not None
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_conditions_of_phantoms_move_their_measures(seed: int) -> None:
    sound = measured(seed)
    assert measured(seed, "blurred").sharpness < MIN_SHARPNESS < sound.sharpness
    fading, crowded = measured(seed, "ambiguous-boundary"), measured(seed, "overlap")
    assert fading.root_contrast is not None
    assert sound.root_contrast is not None
    assert fading.root_contrast < 0.7 * sound.root_contrast
    assert crowded.overlap is not None
    assert sound.overlap is not None
    assert crowded.overlap > 1.5 * sound.overlap


def test_sharpness_does_not_depend_on_noise_or_on_the_resolution() -> None:
    phantom = generate(3, 2048, 1024)
    teeth = teeth_of(record_of(phantom))
    large = measure(phantom.image, teeth)
    noise = np.random.default_rng(0).normal(0, 6, phantom.image.shape)
    noisy = np.clip(phantom.image + noise, 0, 255).astype(np.uint8)
    half = measure(cv2.resize(phantom.image, (1024, 512), interpolation=cv2.INTER_AREA), [])
    whole = measure(phantom.image, [])
    grainy = measure(noisy, teeth)
    sixteen = measure(phantom.image.astype(np.uint16) * 257, teeth)
    assert large is not None
    assert grainy is not None
    assert sixteen is not None
    assert half is not None
    assert half == whole
    assert grainy.sharpness == pytest.approx(large.sharpness, rel=0.05)
    assert sixteen.sharpness == pytest.approx(large.sharpness, rel=0.01)


def test_noise_is_the_standard_deviation_by_the_range() -> None:
    rng = np.random.default_rng(1)
    ramp = np.tile(np.linspace(40, 200, 1000), (500, 1))
    noisy = np.clip(ramp + rng.normal(0, 8, ramp.shape), 0, 255).astype(np.uint8)
    found = measure(noisy, [])
    assert found is not None
    # The middle 70 % of the ramp are measured, and of those 96 %: 0.7 · 0.96 · 160 levels, and some for the noise.
    assert found.noise == pytest.approx(8 / 115, rel=0.1)
    record = record_of(generate(1, 512, 256))
    assert [problem.kind for problem in measured_problems(record, found)] == ["noise"]
    assert measured(3).noise < MAX_NOISE


def test_metal_is_the_bright_share_of_the_jaws() -> None:
    gray = np.full((256, 512), 100, np.uint8)
    gray[::2] = 90
    # The jaws without teeth: rows 64 to 217, columns 76 to 435.
    gray[100:140, 100:200] = 255
    found = measure(gray, [])
    assert found is not None
    assert found.metal == pytest.approx(40 * 100 / (153 * 359), rel=0.05)
    assert 255 * METAL_LEVEL > 100


def test_a_step_and_a_blank_border() -> None:
    rng = np.random.default_rng(2)
    gray = cv2.GaussianBlur(rng.integers(0, 256, (256, 512)).astype(np.float32), (0, 0), 3) * 4 - 380
    gray = np.clip(gray, 0, 255)
    smooth = measure(gray.astype(np.uint8), [])
    gray[:, 250:] += 60
    gray[:, :60] = 0
    broken = measure(np.clip(gray, 0, 255).astype(np.uint8), [])
    assert smooth is not None
    assert broken is not None
    assert broken.step > 3 * smooth.step
    assert smooth.blank == (0, 0, 0, 0)
    assert broken.blank == pytest.approx((60 / 512, 0, 0, 0))
    (problem,) = measured_problems(record_of(generate(1, 512, 256)), broken)
    assert problem.what == "phantom.png has a blank border: 12% at the left"
    assert max(smooth.blank) < MAX_BLANK


def test_teeth_are_needed_for_some_measures_and_pixels_for_all() -> None:
    image = generate(1, 512, 256).image
    found = measure(image, [])
    assert found is not None
    assert found.root_contrast is None
    assert found.overlap is None
    assert measure(image[:100], []) is None
    assert measure(image[:, :200], []) is None


def test_a_constant_image_can_be_measured() -> None:
    found = measure(np.full((300, 600), 7, np.uint8), [])
    assert found is not None
    assert found.noise == 0
    assert (found.metal, found.step, found.ghost) == (0, 0, 0)
    assert np.isfinite(found.sharpness)


@settings(max_examples=25)
@given(st.data())
def test_teeth_anywhere_and_of_any_size_can_be_measured(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(256, 2500)), data.draw(st.integers(128, 900))
    teeth = []
    for id in range(data.draw(st.integers(1, 5))):
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        size = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
        bits = np.ones((min(size[0], height - y), min(size[1], width - x)), bool)
        record = ObjectRecord(id, data.draw(st.sampled_from(["18", "36", "31"])), [], (0, 0, 1, 1), bits.size)
        teeth.append(BoxedObject(record, BoxedMask(x, y, bits), bits.size))
    found = measure(np.random.default_rng(0).integers(0, 4096, (height, width), np.uint16), teeth)
    assert found is not None
    values = [value for value in asdict(found).values() if isinstance(value, float)]
    assert np.isfinite(values).all()
    assert 0 <= found.metal <= 1
    assert found.overlap is not None
    assert 0 <= found.overlap <= len(teeth)
