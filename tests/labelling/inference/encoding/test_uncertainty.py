import numpy as np
import pytest

from dentasam.labelling.inference.encoding.uncertainty import probe_clicks, uncertainty
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load("dentasam-tiny", device="cpu")


def test_probe_clicks_are_a_fixed_grid_in_the_central_band() -> None:
    clicks = probe_clicks(1300, 3100)
    assert clicks.shape == (16, 2)
    assert np.array_equal(clicks, probe_clicks(1300, 3100))
    assert len(np.unique(clicks, axis=0)) == 16
    x, y = clicks[:, 0] / 3100, clicks[:, 1] / 1300
    assert (x.min(), x.max()) == pytest.approx((0.2, 0.8), abs=1e-3)
    assert (y.min(), y.max()) == pytest.approx((0.4, 0.65), abs=1e-3)


def test_it_is_one_minus_the_scores_that_the_segmenter_gives(segmenter: Segmenter) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 512), dtype=np.uint8)
    embedding = segmenter.encode(image)
    clicks = probe_clicks(64, 512)[:, None]
    scores = segmenter.predict(embedding, clicks, np.ones((16, 1), np.int64)).scores
    value = uncertainty(segmenter.model, embedding)
    assert value == pytest.approx(float((1 - scores.clip(0, 1)).mean()), abs=1e-5)
    assert 0 < value < 1
    assert value != uncertainty(segmenter.model, segmenter.encode(np.zeros((64, 512), np.uint8)))
