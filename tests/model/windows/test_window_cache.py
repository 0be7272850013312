"""Embeddings of windows are kept by what they show, and no more of them than fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import dentasam
from dentasam.errors import AdapterError
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.objects import ObjectPrompt
from dentasam.model.windows.window import Window
from dentasam.model.windows.window_cache import WindowCache, content_hash
from dentasam.model.windows.windowed_image import WindowedImage

from .bright_network import BrightNetwork
from .scenes import HEIGHT, WIDTH, Scene

WINDOW = Window(0.0, 0.0, 1.0, 100, 200)


def tensors(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((2,), value), torch.full((3,), value)


def test_the_least_recently_used_goes() -> None:
    cache = WindowCache(size=2)
    for value in (0, 1):
        cache.keep(("image", "model", replace(WINDOW, x=float(value))), *tensors(value))
    assert cache.get(("image", "model", WINDOW)) is not None  # now the other is the older
    cache.keep(("image", "model", replace(WINDOW, x=2.0)), *tensors(2))
    assert len(cache) == 2
    assert cache.get(("image", "model", replace(WINDOW, x=1.0))) is None
    found = cache.get(("image", "model", WINDOW))
    assert found is not None
    assert found[0].tolist() == [0, 0]
    cache.clear()
    assert cache.get(("image", "model", WINDOW)) is None


def test_a_key_is_the_image_the_model_and_the_window() -> None:
    cache = WindowCache()
    key = ("image", "model", WINDOW)
    cache.keep(key, *tensors(1))
    assert cache.get(("image", "model", replace(WINDOW))) is not None
    others = [("other", "model", WINDOW), ("image", "other", WINDOW), ("image", "model", replace(WINDOW, scale=1.5))]
    assert all(cache.get(other) is None for other in others)


def test_the_hash_is_that_of_pixels_type_and_shape() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert content_hash(image) == content_hash(np.asfortranarray(image))
    changed = image.copy()
    changed[0, 0] = 255
    different: list[np.ndarray] = [changed, image.reshape(6, 4), image.view(np.uint16)]
    assert len({content_hash(each) for each in [image, *different]}) == 4


def encoded(
    network: BrightNetwork, cache: WindowCache, image: np.ndarray, model: str, point: tuple[float, float]
) -> int:
    """How many windows a decode had to encode."""
    frame = Frame.of(*image.shape)
    embedding = network.encode(frame.pixels(image), frame)
    network.encoded.clear()
    windowed = WindowedImage(network, image, embedding, cache, lambda: model)
    windowed.decode([ObjectPrompt(np.array([[*point, 1.0]]))] * 2)
    return sum(network.encoded)


def test_windows_are_encoded_once_for_an_image_and_a_model(scene: Scene) -> None:
    network, cache = BrightNetwork(), WindowCache()
    assert encoded(network, cache, scene.image, "base", scene.in_tooth) == 1
    assert encoded(network, cache, scene.image.copy(), "base", scene.in_tooth) == 0
    assert encoded(network, cache, scene.image, "base and adapter", scene.in_tooth) == 1
    brighter = np.where(scene.tooth, scene.image + 1, scene.image).astype(np.uint8)
    assert encoded(network, cache, brighter, "base", scene.in_tooth) == 1


def test_another_adapter_sees_windows_of_its_own(segmenter: Segmenter) -> None:
    """The segmenter's cache is shared by its images and outlives a change of adapters."""
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT // 2, WIDTH // 2), dtype=np.uint8)
    prompt = ObjectPrompt(np.array([[500.0, 240.0, 1.0]]), box=(460.0, 200.0, 540.0, 300.0))
    (base,) = segmenter.windows(image).decode([prompt])
    segmenter.load_adapter("panoramic-teeth")
    try:
        (adapted,) = segmenter.windows(image).decode([prompt])
    finally:
        segmenter.use_adapter(None)
    (again,) = segmenter.windows(image).decode([prompt])
    other = dentasam.load("dentasam-tiny", adapter="panoramic-teeth", device="cpu", precision="fp32")
    (expected,) = other.windows(image).decode([prompt])
    for found, own in ((adapted, expected), (again, base)):
        # A box gives all of them the same first window; what the mask then moves it to is the model's own.
        assert found.window == own.window is not None
        np.testing.assert_allclose(found.logits, own.logits, atol=1e-5)
    assert adapted.window != base.window or np.abs(adapted.logits - base.logits).max() > 0.05


def test_an_image_of_another_adapter_is_refused(segmenter: Segmenter) -> None:
    """Its windows would be kept, encoded with one adapter, under the name of the other."""
    image = np.random.default_rng(1).integers(0, 255, (HEIGHT // 2, WIDTH // 2), dtype=np.uint8)
    prompt = ObjectPrompt(np.array([[500.0, 240.0, 1.0]]), box=(460.0, 200.0, 540.0, 300.0))
    of_base = segmenter.windows(image)
    segmenter.load_adapter("panoramic-teeth")
    try:
        with pytest.raises(AdapterError, match="another adapter is in use"):
            of_base.decode([prompt])
    finally:
        segmenter.use_adapter(None)
    assert len(of_base.decode([prompt])) == 1


@pytest.mark.parametrize(("objects", "again"), [(3, 0), (None, 1)])
def test_the_windows_of_all_objects_are_kept_with_their_image(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, objects: int | None, again: int
) -> None:
    """Objects that are decoded in turn, and more than the shared cache holds, would push each other out."""
    encoded: list[int] = []
    encode = segmenter.model.encode
    image = np.random.default_rng(2).integers(0, 255, (HEIGHT // 2, WIDTH // 2), dtype=np.uint8)
    prompts = [ObjectPrompt(np.zeros((0, 3)), (x, 200.0, x + 80, 300.0)) for x in (200.0, 460.0, 700.0)]

    def counted(pixels: Tensor, frame: Frame) -> ImageEmbedding:
        encoded.append(len(pixels))
        return encode(pixels, frame)

    monkeypatch.setattr(segmenter, "_window_cache", WindowCache(2))
    view = segmenter.windows(image, objects=objects)
    monkeypatch.setattr(segmenter.model, "encode", counted)
    first = view.decode(prompts)
    assert sum(encoded) >= 3
    encoded.clear()
    view.decode(prompts)
    assert (sum(encoded) >= again) if again else not encoded
    assert len(first) == 3
