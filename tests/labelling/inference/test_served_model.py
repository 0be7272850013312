import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dentasam.labelling.inference.served_model import ModelIdentity, ServedModel, without_box
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.adapters.folder import BUNDLED, WEIGHTS
from dentasam.model.adapters.switching import adapter_names
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.sam_hq import SamHQ
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.window import BoxedMask
from dentasam.model.windows.windowed_image import WindowedImage

IMAGE = np.random.default_rng(0).integers(0, 255, (64, 512), dtype=np.uint8)


@pytest.fixture(scope="module")
def adapted() -> Segmenter:
    return load("dentasam-tiny", "panoramic-teeth", "cpu", "fp32")


@pytest.fixture(scope="module")
def served(adapted: Segmenter) -> ServedModel:
    return ServedModel(adapted, windows=False)


@pytest.fixture(scope="module")
def embedding(served: ServedModel) -> ImageEmbedding:
    return served.encode(IMAGE)


@pytest.fixture(scope="module")
def image(served: ServedModel, embedding: ImageEmbedding) -> WindowedImage:
    return served.image(None, embedding)


def fed(logits: np.ndarray) -> ObjectAnswer:
    """An answer of the whole image with these logits."""
    return ObjectAnswer(BoxedMask(0, 0, np.zeros((0, 0), bool)), logits, 0.5)


def test_the_adapter_is_merged_and_the_hashes_are_those_of_base_and_adapter(
    adapted: Segmenter, served: ServedModel
) -> None:
    assert isinstance(adapted.model, SamHQ)
    (name,) = adapter_names(adapted.model)
    assert name.startswith("panoramic-teeth_")
    merged = served.model
    assert isinstance(merged, SamHQ)
    assert not any("lora_" in name for name, _ in merged.named_parameters())
    weights = (BUNDLED / "panoramic-teeth" / WEIGHTS).read_bytes()
    assert served.identity == ModelIdentity(
        "dentasam-tiny", adapted.info.sha256, "panoramic-teeth", hashlib.sha256(weights).hexdigest()
    )


def test_the_base_alone_has_another_key(adapted: Segmenter, served: ServedModel) -> None:
    base = ServedModel(load("dentasam-tiny", device="cpu"))
    assert base.identity == ModelIdentity("dentasam-tiny", adapted.info.sha256, None, None)
    assert base.key != served.key
    assert ServedModel(adapted).key == served.key


def test_merged_answers_are_those_of_the_adapted_segmenter(
    adapted: Segmenter, served: ServedModel, embedding: ImageEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    for segmenter in (served.segmenter, adapted):  # logits outside a window are estimates
        monkeypatch.setattr(segmenter, "sparse_upscaling", False)
    theirs = adapted.encode(IMAGE)
    torch.testing.assert_close(embedding.features, theirs.features, atol=1e-3, rtol=1e-3)
    clicks = np.array([[[100, 30]], [[300, 40]]], np.float32)
    first = adapted.predict(theirs, clicks, np.ones((2, 1), np.int64))
    # The model disobeys some clicks on noise, which is not to be repaired here.
    image = served.segmenter.windows(IMAGE, theirs, windows=False, repair=False)
    found = served.decode(image, [ObjectPrompt(np.array([[x, y, 1]])) for x, y in clicks[:, 0]])
    for one, logits, score in zip(found, first.logits, first.scores, strict=True):
        np.testing.assert_allclose(one.logits, logits, atol=2e-3)
        assert one.score == pytest.approx(float(score), abs=1e-4)


def test_many_objects_of_many_forms_answer_as_each_alone(
    served: ServedModel, image: WindowedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)

    def clicks(count: int) -> np.ndarray:
        return np.column_stack([rng.uniform(0, 500, count), rng.uniform(0, 60, count), rng.integers(0, 2, count)])

    monkeypatch.setattr(served, "_knows_boxes", True)
    box = (50.0, 10.0, 90.0, 60.0)
    logits = rng.normal(size=image.frame.logits).astype(np.float32) * 4
    wanted = [
        ObjectPrompt(clicks(1)),
        ObjectPrompt(clicks(2), previous=fed(logits)),
        ObjectPrompt(clicks(0), box),
        ObjectPrompt(clicks(1), box),
        ObjectPrompt(clicks(2)),
        ObjectPrompt(clicks(1)),
        *(ObjectPrompt(clicks(1)) for _ in range(18)),
    ]
    together = served.decode(image, wanted)
    for index in (0, 1, 2, 3, 4, 5, 22, 23):
        (alone,) = served.decode(image, [wanted[index]])
        np.testing.assert_allclose(together[index].logits, alone.logits, atol=1e-3)
        assert together[index].score == pytest.approx(alone.score, abs=1e-4)


def test_clicks_without_a_mask_are_given_one_by_one(served: ServedModel, image: WindowedImage) -> None:
    clicks = np.array([[100, 30, 1], [120, 50, 0], [140, 20, 1]])
    answer = None
    for shown in (1, 2, 3):
        (answer,) = image.decode([ObjectPrompt(clicks[:shown], None, answer)])
    (found, other) = served.decode(image, [ObjectPrompt(clicks), ObjectPrompt(clicks[:1])])
    assert answer is not None
    np.testing.assert_allclose(found.logits, answer.logits, atol=3e-3)
    (first,) = image.decode([ObjectPrompt(clicks[:1])])
    np.testing.assert_allclose(other.logits, first.logits, atol=3e-3)
    (at_once,) = served.decode(image, [ObjectPrompt(clicks, None, first)])
    (expected,) = image.decode([ObjectPrompt(clicks, None, first)])
    np.testing.assert_allclose(at_once.logits, expected.logits, atol=3e-3)


def test_each_answer_owns_its_logits(served: ServedModel, image: WindowedImage) -> None:
    found = served.decode(image, [ObjectPrompt(np.array([[x, 30, 1]])) for x in (10, 200)])
    assert all(one.logits.base is None and one.logits.shape == image.frame.logits for one in found)


def test_a_model_that_knows_boxes_is_given_them_and_one_that_answers_nothing_is_found_out(
    served: ServedModel, embedding: ImageEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.knows_boxes(embedding)
    box = (50.0, 10.0, 90.0, 60.0)
    (found,) = served.decode(served.image(None, embedding), [ObjectPrompt(np.zeros((0, 3)), box)])
    expected = served.segmenter.predict(embedding, np.zeros((1, 0, 2)), np.zeros((1, 0), int), np.array([box]))
    np.testing.assert_allclose(found.logits, expected.logits[0], atol=1e-4)
    monkeypatch.setattr(served, "_knows_boxes", None)
    empty = SimpleNamespace(logits=-torch.ones(5, *embedding.frame.logits), scores=torch.zeros(5))
    monkeypatch.setattr(served.model, "decode", lambda *given, **more: empty)
    assert not served.knows_boxes(embedding)


def test_a_box_becomes_a_click_and_an_ellipse(embedding: ImageEmbedding) -> None:
    frame = embedding.frame
    instead = without_box(ObjectPrompt(np.zeros((0, 3)), (100, 10, 164, 50)), frame, windows=False)
    assert instead.box is None
    assert instead.clicks.tolist() == [[132, 30, 1]]
    assert instead.previous is not None
    assert instead.previous.window is None
    inside = instead.previous.logits > 0
    # 32 x 20 logits, an ellipse of nine tenths of that.
    assert inside.sum() == pytest.approx(np.pi / 4 * 32 * 20 * 0.81, rel=0.05)
    assert inside[15, 66]
    assert not inside[5, 50]
    clicks = np.array([[110, 20, 1], [120, 20, 0]])
    assert np.array_equal(without_box(ObjectPrompt(clicks, (100, 10, 164, 50)), frame, windows=False).clicks, clicks)
    earlier = fed(np.zeros(frame.logits, np.float32))
    assert without_box(ObjectPrompt(clicks, (100, 10, 164, 50), earlier), frame, windows=True).previous is earlier
    tiny = without_box(ObjectPrompt(np.zeros((0, 3)), (511.2, 63.5, 511.3, 63.6)), frame, windows=False)
    assert tiny.previous is not None
    assert (tiny.previous.logits > 0).sum() >= 1


def test_a_boxes_ellipse_lies_in_a_window_around_it() -> None:
    frame = Frame.of(1000, 2000)
    instead = without_box(ObjectPrompt(np.zeros((0, 3)), (600, 300, 680, 480)), frame, windows=True)
    previous = instead.previous
    assert previous is not None
    assert previous.window is not None
    mask = BoxMask(*previous.mask)
    assert mask.area == pytest.approx(np.pi / 4 * 80 * 180 * 0.81, rel=0.03)
    assert [mask.x + mask.width / 2, mask.y + mask.height / 2] == pytest.approx([640, 390], abs=1)


def test_windows_need_the_images_pixels(adapted: Segmenter, embedding: ImageEmbedding) -> None:
    with pytest.raises(ValueError, match="pixels"):
        ServedModel(adapted).image(None, embedding)


def test_charts_have_all_masks_in_windows_and_keep_the_windows_of_clicks(
    served: ServedModel, image: WindowedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(Segmenter, "chart", lambda _, shown, **settings: asked.append((shown, settings)))
    served.chart(image)
    ((shown, settings),) = asked
    assert settings == {"windows": False, "finer": None}
    assert shown.embedding is image.embedding
    assert shown is not image
