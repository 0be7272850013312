import numpy as np
import pytest

from dentasam.training.recipe.sections import Phantoms
from dentasam.training.samples.mixed_source import MixedSource
from dentasam.training.samples.sources import Case, PhantomSource, make_case


class Blank:
    """Sixty images without content, which no phantom is."""

    def __len__(self) -> int:
        return 60

    def case(self, index: int, epoch: int) -> Case:
        masks = np.zeros((1, 32, 64), bool)
        masks[0, 8:24, 8:24] = True
        return make_case(np.zeros((32, 64), np.uint8), masks, ("11",))


@pytest.fixture
def phantoms() -> PhantomSource:
    return PhantomSource(Phantoms(images=8, width=128, height=64, shapes_share=0.0), seed=3)


def drawn(source: MixedSource, epoch: int) -> list[bool]:
    """Which images of an epoch are phantoms."""
    return [bool(source.case(index, epoch).gray.any()) for index in range(len(source))]


def test_a_share_of_the_images_are_phantoms_new_in_each_epoch(
    phantoms: PhantomSource,
) -> None:
    source, again = (MixedSource(Blank(), phantoms, 0.3, seed=5) for _ in range(2))
    assert len(source) == 60
    first, second = drawn(source, 0), drawn(source, 1)
    assert 8 <= sum(first) <= 28  # 18 expected, standard deviation 3.5
    assert first != second
    assert first == drawn(again, 0)
    place = first.index(True)
    assert np.array_equal(source.case(place, 0).gray, again.case(place, 0).gray)


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (1.0, True)])
def test_none_and_all(phantoms: PhantomSource, share: float, expected: bool) -> None:
    assert set(drawn(MixedSource(Blank(), phantoms, share, seed=5), 0)) == {expected}
