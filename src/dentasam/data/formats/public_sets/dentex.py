"""DENTEX: teeth and their diseases of the MICCAI 2023 challenge, about 2,000 annotated panoramics.

https://zenodo.org/records/7812323 and https://huggingface.co/datasets/ibrahimhamamci/DENTEX, CC BY-NC-SA 4.0. Three
tiers of COCO files with several categories for each annotation, one of which is read at a time::

    training_data/quadrant/train_quadrant.json                               quadrants, no teeth
    training_data/quadrant_enumeration/train_quadrant_enumeration.json      every tooth
    training_data/quadrant-enumeration-disease/train_quadrant_enumeration_disease.json   diseased teeth only
    validation_triple.json, validation_data/quadrant_enumeration_disease/    diseased teeth only

Images lie in a folder `xrays` beside the JSON. Their names repeat across tiers for other images, so that only images
below the folder of the JSON are taken. The FDI number of a tooth is the name of `category_id_1` (quadrant 1-4)
followed by that of `category_id_2` (1-8): id 0 has the name 1. A disease stays as `extra["disease"]` of its tooth; a
tooth with two diseases is there twice. Quadrants have the category `quadrant 2`, by name: their ids are in another
order. The LabelMe files of the test set (`disease/label`) hold treatments by code and are not read.

Polygons follow the rule `corners`. They are crude, often with ten points around a tooth: good for finding and
numbering teeth, too crude for Dice. Boxes are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dentasam.data.formats.interface import Contents, ReadOptions
from dentasam.data.formats.public_sets.coco_tables import NameOf, Naming, names_by_id, read_tables, records_of
from dentasam.data.formats.public_sets.published import PublishedSet, images_in
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.masks.polygons import PolygonRule
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.values import whole

DENTEX = PublishedSet(
    "DENTEX",
    "https://zenodo.org/records/7812323",
    "the JSON of one tier, such as train_quadrant_enumeration.json, with its folder xrays",
)
QUADRANT, VALIDATION = "train_quadrant.json", "validation_triple.json"
TIERS = {
    QUADRANT: ("quadrant",),
    "train_quadrant_enumeration.json": ("quadrant_enumeration", "quadrant-enumeration"),
    "train_quadrant_enumeration_disease.json": ("quadrant-enumeration-disease", "quadrant_enumeration_disease"),
    VALIDATION: ("validation_data",),
}
_QUADRANTS, _PLACES = frozenset("1234"), frozenset("12345678")


def recognises(source: Path) -> bool:
    """A JSON of one of the tiers' names, or one with several categories for an annotation; a folder with a tier."""
    if source.is_dir():
        return next(_tiers_in(source), None) is not None
    text = first_text(source)
    return bool(text) and (source.name in TIERS or '"category_id_1"' in text or '"categories_1"' in text)


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the JSON of one tier."""
    path = _tier_of(source) if source.is_dir() else source
    options.report("DENTEX's polygons are crude outlines: do not measure Dice with them")
    content = read_tables(path, DENTEX)
    if not isinstance(content.get("categories_1"), list) and isinstance(content.get("categories"), list):
        name_of = _quadrant_names(content, path)
        options.report("this tier has quadrants and no teeth")
    else:
        name_of = _tooth_names(read_tables(path, DENTEX, "categories_1", "categories_2"), path)
        if isinstance(content.get("categories_3"), list):
            options.report("in this tier only teeth with a disease are annotated; all others are missing")
    beside = path.parent / "validation_data" if path.name == VALIDATION else path.parent
    images = images_in(images, beside)
    return Contents(records_of(path, content, images, options, name_of, PolygonRule.corners), Numbering.fdi)


def _tiers_in(folder: Path) -> Iterator[Path]:
    """The tiers' files in a folder, in the folders of their tiers, or in those under `training_data`."""
    for name, folders in TIERS.items():
        inner = [Path(each) for each in ("", *folders)] + [Path("training_data", each) for each in folders]
        yield from (folder / each / name for each in inner if (folder / each / name).is_file())


def _tier_of(folder: Path) -> Path:
    found = list(_tiers_in(folder))
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(path.name for path in found[:2])
        raise DENTEX.refusal(folder, f"it holds several tiers, {names}, which differ in what is annotated")
    if (folder / "disease" / "label").is_dir() or (folder / "label").is_dir():
        raise DENTEX.refusal(folder, "the labels of the test set are treatments, which are not read")
    raise DENTEX.refusal(folder, "it holds no JSON of a tier")


def _tooth_names(content: dict[str, Any], path: Path) -> NameOf:
    quadrants = names_by_id(content, "categories_1", path, DENTEX)
    places = names_by_id(content, "categories_2", path, DENTEX)
    if not set(quadrants.values()) <= _QUADRANTS or not set(places.values()) <= _PLACES:
        raise DENTEX.refusal(path, "categories_1 are not the quadrants 1-4, or categories_2 not the teeth 1-8")
    diseases: dict[int, str] = {}
    if isinstance(content.get("categories_3"), list):
        diseases = names_by_id(content, "categories_3", path, DENTEX)

    def name_of(item: dict[str, Any]) -> Naming:
        quadrant = _name(item, "category_id_1", quadrants)
        place = _name(item, "category_id_2", places)
        return Naming(quadrant + place, {"disease": _name(item, "category_id_3", diseases)} if diseases else {})

    return name_of


def _quadrant_names(content: dict[str, Any], path: Path) -> NameOf:
    quadrants = names_by_id(content, "categories", path, DENTEX)
    if not quadrants or not set(quadrants.values()) <= _QUADRANTS:
        raise DENTEX.refusal(path, "it has no categories_1, and its categories are not the quadrants 1-4")
    return lambda item: Naming(f"quadrant {_name(item, 'category_id', quadrants)}")


def _name(item: dict[str, Any], key: str, names: dict[int, str]) -> str:
    id = whole(item.get(key))
    if id is None or id not in names:
        raise ValueError(f"no category has its {key} {item.get(key)!r:.40}")
    return names[id]
