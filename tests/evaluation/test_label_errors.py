"""Annotations that a model does not find again come first."""

from dataclasses import replace
from typing import Any

import numpy as np

from dentasam.data.dataset import ObjectRecord
from dentasam.evaluation.label_errors import CLICKS, ranked_by_disagreement


def test_a_wrong_annotation_comes_first(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, bench.perfect)
    image = dataset.images[2]
    mask = image.objects[1].mask(image.height, image.width)
    # Half of the object is missing in the annotation: the model still finds the whole.
    columns = np.flatnonzero(mask.any(axis=0))
    mask[:, : int(columns.mean())] = False
    wrong = ObjectRecord.from_mask(image.objects[1].id, image.objects[1].category, mask)
    objects = (image.objects[0], wrong, *image.objects[2:])
    images = [*dataset.images[:2], replace(image, objects=objects), *dataset.images[3:]]
    steps: list[tuple[int, int]] = []
    ranked = ranked_by_disagreement(
        segmenter, [(dataset.path, each) for each in images], progress=lambda done, total: steps.append((done, total))
    )
    assert len(ranked) == dataset.objects
    first, second = ranked[:2]
    assert (first.dataset, first.image, first.annotation) == (dataset.path, image.id, wrong.id)
    assert len(first.dice) == CLICKS
    assert first.best < 0.8 < second.best == 1
    assert steps == [(done, 8) for done in range(1, 9)]


def test_images_without_objects_are_passed_over(bench: Any, dataset: Any) -> None:
    segmenter = bench.segmenter(dataset, bench.perfect)
    empty = replace(dataset.images[0], objects=())
    assert ranked_by_disagreement(segmenter, [(dataset.path, empty)]) == []
    assert segmenter.encoded == 0
