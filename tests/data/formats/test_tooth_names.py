"""Which numbering is taken for names of a source, when the user is asked, and what an export may rename."""

from pathlib import Path

import pytest

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import import_dataset
from dentasam.data.formats.tooth_names import NumberingUnknown, fdi_names, with_numbering
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError

from ..coco_files import TOOTH, compressed, content, write

UNIVERSAL = [str(number) for number in range(1, 33)]


def dataset(*names: str, info: dict[str, str] | None = None) -> Dataset:
    objects = tuple(ObjectRecord.from_mask(k, name, TOOTH) for k, name in enumerate(names, start=1))
    image = ImageRecord(1, Path("a.png"), "a.png", TOOTH.shape[1], TOOTH.shape[0], objects=objects)
    return Dataset(Path("set.json"), (image,), info=info or {})


def coco_of(names: list[str], folder: Path) -> Path:
    given = content()
    given["categories"] = [{"id": k, "name": name} for k, name in enumerate(names, start=1)]
    given["annotations"] = [
        {"id": k, "image_id": 1, "category_id": k, "segmentation": compressed(TOOTH)}
        for k in range(1, len(names) + 1)
    ]
    return write(folder, given)


@pytest.mark.parametrize("names", [UNIVERSAL, ["UR8", "LL6"], ["11", "12", "⎾6"]])
def test_other_systems_are_asked_about_where_fdi_is_only_assumed(tmp_path: Path, names: list[str]) -> None:
    path = coco_of(names, tmp_path / "in")
    with pytest.raises(NumberingUnknown, match=rf"{path}: its teeth do not look like FDI .*; give --numbering fdi"):
        import_dataset("coco", path, tmp_path / "out")
    found = import_dataset("coco", path, tmp_path / "out", ImportOptions(numbering=Numbering.fdi))
    assert [item.category for item in Dataset.load(found).images[0].objects] == names


def test_a_few_classes_and_what_fits_both_systems_stay_where_fdi_is_assumed() -> None:
    lines: list[str] = []
    for names in (["11", "12", "28"], ["36", "implant"], ["crown"]):
        assert fdi_names(names, None, None, Path("a"), lines.append, Numbering.fdi) == {}
    assert lines == []
    assert fdi_names(["1", "2", "3"], None, None, Path("a"), lines.append, Numbering.fdi) == {}
    assert ["--numbering universal" in line for line in lines] == [True]
    # A source that says that it has FDI numbers, and a user who says which, outweigh what is assumed.
    assert fdi_names(UNIVERSAL, None, Numbering.fdi, Path("a"), lines.append, Numbering.fdi) == {}
    assert fdi_names(["1"], Numbering.universal, None, Path("a"), lines.append, Numbering.fdi) == {"1": "18"}


def test_an_export_never_makes_two_categories_one() -> None:
    with pytest.raises(
        DatasetError, match=r"set\.json: the category '19' is not a tooth in fdi, but tooth 36 .*; rename"
    ):
        with_numbering(dataset("36", "19"), Numbering.universal)
    with pytest.raises(DatasetError, match="the category '36' is not a tooth in universal, but tooth 19 gets"):
        with_numbering(dataset("36", "19", info={"numbering": "universal"}), Numbering.fdi)
    # Two spellings of one tooth are one category on purpose, and so are supernumerary teeth.
    for names, info, wanted, expected in (
        (("36", "FDI 36", "9"), {}, Numbering.universal, ["19", "19", "9"]),
        (("51", "supernumerary"), {"numbering": "universal"}, Numbering.fdi, ["supernumerary"] * 2),
        (("36", "19"), {"numbering": "universal"}, Numbering.palmer, ["36", "LL6"]),
    ):
        found = with_numbering(dataset(*names, info=info), wanted)
        assert [item.category for item in found.images[0].objects] == expected
