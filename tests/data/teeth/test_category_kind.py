"""Parts and wholes by the names that the schema, the phantoms and public sets give them."""

import pytest

from dentasam.data.phantom import PART_CATEGORIES
from dentasam.data.phantom.writer import ALL_CATEGORIES
from dentasam.data.teeth.category_kind import is_part


@pytest.mark.parametrize(
    ("category", "part"),
    [
        ("11", False), ("85", False), ("tooth", False), ("Impacted tooth", False), ("implant", False),
        ("object", False), ("other", False), ("", False), ("mandible", False), ("retained root", False),
        ("restoration", True), ("Fillings", True), ("root filling", True), ("Root Canal Treatment", True),
        ("Deep Caries", True), ("Periapical Lesion", True), ("crown", True), ("periapical_lesions", True),
    ],
)  # fmt: skip
def test_parts(category: str, part: bool) -> None:
    assert is_part(category) == part


def test_phantoms_have_the_parts_that_they_draw() -> None:
    assert {item["name"] for item in ALL_CATEGORIES if is_part(str(item["name"]))} == PART_CATEGORIES
