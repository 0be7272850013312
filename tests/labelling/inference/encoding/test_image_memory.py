import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dentasam.labelling.inference.encoding.image_memory import ImageMemory
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.windowed_image import WindowedImage

PIXELS = np.zeros((32, 64), np.uint8)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load("dentasam-tiny", device="cpu")


@pytest.fixture(scope="module")
def embedding(segmenter: Segmenter) -> ImageEmbedding:
    return segmenter.encode(PIXELS)


@pytest.fixture
def image(segmenter: Segmenter, embedding: ImageEmbedding) -> WindowedImage:
    return segmenter.windows(PIXELS, embedding)


def size_of(image: WindowedImage) -> int:
    memory = ImageMemory()
    memory.get("x", lambda: (image, 0))
    return memory.bytes_held


def test_the_bytes_are_those_of_pixels_and_embedding(image: WindowedImage) -> None:
    shared = image.embedding.shared
    assert shared is not None
    tensors = [image.embedding.features, image.embedding.hq, shared.keys, shared.values, shared.queries]
    expected = sum(each.nbytes for each in [*tensors, shared.positions])
    assert size_of(image) == expected
    memory = ImageMemory()
    memory.get("x", lambda: (image, 1000))
    assert memory.bytes_held == expected + 1000


def test_beyond_the_limit_the_least_recently_used_go(image: WindowedImage) -> None:
    memory = ImageMemory(2 * size_of(image) + 20)
    made: list[str] = []

    def get(picture: str) -> WindowedImage | None:
        def make() -> tuple[WindowedImage, int]:
            made.append(picture)
            return image, 10

        return memory.get(picture, make)

    for picture in ("a", "b", "a", "c"):
        assert get(picture) is image
    assert made == ["a", "b", "c"]
    assert [picture in memory for picture in "abc"] == [True, False, True]
    assert len(memory) == 2
    assert memory.bytes_held <= 2 * size_of(image) + 20


def test_one_that_is_too_large_stays_until_the_next(image: WindowedImage) -> None:
    memory = ImageMemory(10)
    for picture in ("a", "b"):
        assert memory.get(picture, lambda: (image, 0)) is image
    assert [picture in memory for picture in "ab"] == [False, True]


def test_what_is_not_there_any_more_is_not_kept(image: WindowedImage) -> None:
    memory = ImageMemory()
    assert memory.get("a", lambda: None) is None
    with pytest.raises(OSError, match="gone"):
        memory.get("a", lambda: (_ for _ in ()).throw(OSError("gone")))
    assert memory.get("a", lambda: (image, 0)) is image


def test_of_many_threads_one_makes_a_picture(image: WindowedImage) -> None:
    memory, made, gate = ImageMemory(), [], threading.Barrier(4)

    def make() -> tuple[WindowedImage, int]:
        made.append(threading.get_ident())
        time.sleep(0.02)
        return image, 0

    def get(picture: str) -> WindowedImage | None:
        gate.wait()
        return memory.get(picture, make)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(get, ["a", "a", "a", "a"])) == [image] * 4
    assert len(made) == 1
