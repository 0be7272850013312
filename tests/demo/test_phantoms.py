"""The data of the tour."""

from pathlib import Path

import numpy as np
import pytest

from dentasam.demo.phantoms import another_device, draw_parts
from dentasam.demo.tour import TourSize


def test_another_device_keeps_the_order_of_grays_reversed() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (400, 1))
    seen = another_device(ramp, seed=1)
    assert seen.dtype == np.uint8
    means = seen.mean(axis=0)
    assert means[0] > means[64] > means[128] > means[255]
    assert seen.std(axis=0)[100] == pytest.approx(6, abs=1)
    np.testing.assert_array_equal(seen, another_device(ramp, seed=1))


def test_the_parts_share_no_image_and_the_test_has_every_condition(tmp_path: Path) -> None:
    size = TourSize()
    test, train = draw_parts(tmp_path, size.phantoms, size.plain_test_images, size.test_objects_per_image)
    assert not {image.id for image in test.images} & {image.id for image in train.images}
    assert len(test.images) + len(train.images) == size.phantoms
    conditions = {"blurred", "ambiguous-boundary", "overlap", "artifact"}
    assert conditions <= {tag for image in test.images for tag in image.tags}
    assert len(test.images) == 6  # the fewest that have an interval
    assert max(len(image.objects) for image in test.images) == size.test_objects_per_image
    assert min(len(image.objects) for image in train.images) > size.test_objects_per_image
