"""What one import may store, and that it ends when its client is gone."""

from itertools import count
from typing import Any

import pytest

from dentasam.errors import DatasetError
from dentasam.labelling.exchange import pre_annotations
from dentasam.labelling.exchange.import_bounds import MAX_BYTES, MAX_CASE_BYTES, ImportBounds, ImportStopped
from dentasam.labelling.exchange.imports import import_coco
from dentasam.labelling.log.store import Store

# The runs of a square of n x n pixels in its own box: one of zeros, and one of ones of two bytes.
SQUARE_BYTES = 3


def document(images: list[int]) -> dict[str, Any]:
    """One square for each image id, no two of them alike."""
    return {
        "images": [{"id": id, "file_name": f"{'ab'[id - 1]}.png", "width": 60, "height": 40} for id in (1, 2)],
        "annotations": [
            {"id": id, "image_id": image, "category_id": 36, "segmentation": square(id)}
            for id, image in enumerate(images, 1)
        ],
        "categories": [{"id": 36, "name": "36"}],
    }


def square(at: int) -> list[list[int]]:
    return [[at, 5, at + 20, 5, at + 20, 25, at, 25]]


def test_the_masks_of_a_case_beyond_the_bound_leave_the_case_as_it_was(sqlite_store: Store) -> None:
    bounds = ImportBounds(max_case_bytes=2 * SQUARE_BYTES)
    with pytest.raises(DatasetError, match=r"the masks of b\.png take more than 6 bytes, none of them was stored"):
        import_coco(sqlite_store, document([1, 1, 2, 2, 2]), bounds=bounds)
    assert [case.objects for case in sqlite_store.cases()] == [2, 0]


def test_the_masks_of_a_file_are_bounded_together(sqlite_store: Store) -> None:
    bounds = ImportBounds(max_bytes=3 * SQUARE_BYTES)
    with pytest.raises(DatasetError, match=r"more than 9 bytes, those of b\.png and of the cases after it were not"):
        import_coco(sqlite_store, document([1, 1, 2, 2]), bounds=bounds)
    assert [case.objects for case in sqlite_store.cases()] == [2, 0]
    # What is there already takes no room.
    assert import_coco(sqlite_store, document([1, 1, 2, 2]), bounds=ImportBounds(max_bytes=6)).objects == 2


def test_full_charts_of_2000_cases_fit() -> None:
    bounds = ImportBounds()
    for case in range(2000):
        bounds.begin_case()
        for _ in range(32):
            bounds.add(f"{case}.png", 2000)
    assert MAX_BYTES > 2000 * 32 * 2000
    assert MAX_CASE_BYTES > 300 * 100_000


def test_a_transaction_holds_few_large_masks(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pre_annotations, "BATCH_BYTES", 2 * SQUARE_BYTES)
    sizes: list[int] = []
    store = sqlite_store.import_objects

    def counted(created: Any, annotator: str) -> int:
        sizes.extend(len(operations) for operations in created.values())
        return store(created, annotator)

    monkeypatch.setattr(sqlite_store, "import_objects", counted)
    assert import_coco(sqlite_store, document([1] * 5)).objects == 5
    assert sizes == [2, 2, 1]


def test_an_import_ends_when_its_client_is_gone_and_the_same_file_brings_the_rest(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pre_annotations, "BATCH_BYTES", SQUARE_BYTES)
    asked = count()
    # Asked for each of 4 annotations, for the case, for each object, and for each batch.
    bounds = ImportBounds(stopped=lambda: next(asked) >= 4 + 1 + 4 + 2)
    with pytest.raises(ImportStopped, match="send the file again"):
        import_coco(sqlite_store, document([1] * 4), bounds=bounds)
    assert sqlite_store.cases()[0].objects == 2
    assert import_coco(sqlite_store, document([1] * 4)).objects == 2
