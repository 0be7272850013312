"""Splits are exact in size, even in every tag, seeded, and readable where they are written."""

import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.splits.split import split, write_split
from dentasam.errors import DatasetError, OutputError

from ...linked_away import linked_away
from ..coco_files import content, write

EIGHTY = {"train": 0.8, "val": 0.1, "test": 0.1}


def tagged(tags: list[tuple[str, ...]], bare: Collection[int] = ()) -> Dataset:
    """An image for each set of tags, with one object; those with the ids `bare` have none."""
    tooth = ObjectRecord.from_mask(1, "36", np.ones((4, 4), bool))
    images = tuple(
        ImageRecord(n, Path(f"/{n}.png"), f"{n}.png", 4, 4, tag, () if n in bare else (tooth,))
        for n, tag in enumerate(tags, 1)
    )
    return Dataset(Path("x.json"), images)


def two_labelled(folder: Path) -> Path:
    """The dataset of this folder's tests, with an object on its second image too, and a third without any."""
    coco = content()
    coco["annotations"].append(coco["annotations"][0] | {"id": 9, "image_id": 2})
    coco["images"].append(coco["images"][0] | {"id": 3, "file_name": "images/c.png"})
    path = write(folder, coco)
    shutil.copy(folder / "images" / "a.png", folder / "images" / "c.png")
    return path


def ids(part: Dataset) -> list[int]:
    return [image.id for image in part.images]


def mixed(count: int = 200) -> list[tuple[str, ...]]:
    draw = np.random.default_rng(5)
    shares = {"restoration": 0.6, "implant": 0.1, "blurred": 0.05, "overlap": 0.3}
    return [tuple(tag for tag, share in shares.items() if draw.random() < share) for _ in range(count)]


def test_each_part_has_its_share_of_every_tag() -> None:
    tags = mixed()
    parts = split(tagged(tags), EIGHTY, seed=3)
    assert {name: len(part.images) for name, part in parts.items()} == {"train": 160, "val": 20, "test": 20}
    total = Counter(tag for image in tags for tag in image)
    for name, part in parts.items():
        held = Counter(tag for image in part.images for tag in image.tags)
        for tag, count in total.items():
            assert abs(held[tag] - EIGHTY[name] * count) <= 2, (name, tag)
    assert sorted(id for part in parts.values() for id in ids(part)) == list(range(1, 201))


def test_the_seed_decides() -> None:
    dataset = tagged(mixed())
    first = {name: ids(part) for name, part in split(dataset, EIGHTY, seed=1).items()}
    assert first == {name: ids(part) for name, part in split(dataset, EIGHTY, seed=1).items()}
    assert first != {name: ids(part) for name, part in split(dataset, EIGHTY, seed=2).items()}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from("abc")).map(lambda tags: tuple(sorted(tags))), min_size=3, max_size=25),
    st.integers(1, 18),
    st.integers(0, 1000),
)
def test_every_image_goes_to_one_part(tags: list[tuple[str, ...]], tenths: int, seed: int) -> None:
    fractions = {"train": tenths / 20, "val": (19 - tenths) / 20, "test": 1 / 20}
    parts = split(tagged(tags), fractions, seed)
    assert sorted(id for part in parts.values() for id in ids(part)) == list(range(1, len(tags) + 1))
    for name, part in parts.items():
        assert len(part.images) >= 1
        assert abs(len(part.images) - fractions[name] * len(tags)) < 2


def test_a_part_of_nothing_is_left_out() -> None:
    assert list(split(tagged(mixed(10)), {"train": 0.5, "val": 0.5, "test": 0.0})) == ["train", "val"]


@pytest.mark.parametrize("fractions", [{"train": 0.8, "val": 0.1}, {"train": 1.2, "val": -0.2}, {}])
def test_fractions_must_add_up(fractions: dict[str, float]) -> None:
    with pytest.raises(DatasetError, match="must be positive and add up to 1; correct them"):
        split(tagged(mixed(10)), fractions)


def test_too_few_images() -> None:
    with pytest.raises(DatasetError, match="has 2 images with objects, too few for 3 parts; label more"):
        split(tagged([(), (), ()], bare=[2]), EIGHTY)


def test_images_without_objects_are_in_no_part() -> None:
    bare = [2, 3, 5, 8, 13]
    parts = split(tagged(mixed(20), bare), {"train": 0.6, "val": 0.2, "test": 0.2}, seed=1)
    assert {name: len(part.images) for name, part in parts.items()} == {"train": 9, "val": 3, "test": 3}
    assert sorted(id for part in parts.values() for id in ids(part)) == sorted(set(range(1, 21)) - set(bare))


def test_written_beside_the_source(tmp_path: Path) -> None:
    source = two_labelled(tmp_path)
    halves = {"train": 0.5, "val": 0.5}
    done = write_split(source, halves, seed=0)
    paths = {name: part.path for name, part in done.parts.items()}
    assert done.left_out == 1
    assert {(part.images, part.objects) for part in done.parts.values()} == {(1, 3), (1, 1)}
    assert paths == {"train": tmp_path / "train.json", "val": tmp_path / "val.json"}
    images = [image for path in paths.values() for image in Dataset.load(path).images]
    assert sorted(image.id for image in images) == [1, 2]
    assert all(image.read().shape == (image.height, image.width) for image in images)
    before = {path: path.read_bytes() for path in paths.values()}
    with pytest.raises(OutputError, match=r"train\.json is there already; move it away, or replace it"):
        write_split(source, halves)
    write_split(source, halves, overwrite=True)
    assert {path: path.read_bytes() for path in paths.values()} == before
    with pytest.raises(OutputError, match=r"train\.json is the dataset to be split; rename it"):
        write_split(source.rename(tmp_path / "train.json"), halves, overwrite=True)


def test_written_elsewhere_with_the_images(tmp_path: Path) -> None:
    source = two_labelled(tmp_path / "all")
    done = write_split(source, {"train": 0.5, "val": 0.5}, out=tmp_path / "parts")
    paths = {name: part.path for name, part in done.parts.items()}
    assert done.left_out == 1
    assert len(list((tmp_path / "parts" / "images").rglob("*.png"))) == 2
    assert paths["val"] == tmp_path / "parts" / "val.json"
    for path in paths.values():
        (image,) = Dataset.load(path).images
        assert image.path.is_relative_to(tmp_path / "parts" / "images")
        assert image.read().shape == (image.height, image.width)
    with pytest.raises(OutputError, match="is there already"):
        write_split(source, {"train": 0.5, "val": 0.5}, out=tmp_path / "parts")


@pytest.mark.parametrize("place", ["images", "images/a.png", "images/deep"])
def test_nothing_is_written_through_a_link_in_a_folder_that_is_split_into_again(tmp_path: Path, place: str) -> None:
    source, out = two_labelled(tmp_path / "data"), tmp_path / "parts"
    write_split(source, {"train": 0.5, "val": 0.5}, out=out)
    with linked_away(out / place, tmp_path / "outside"):
        write_split(source, {"train": 0.5, "val": 0.5}, out=out, overwrite=True)


def test_images_in_their_place_may_be_reached_by_the_user_s_own_links(tmp_path: Path) -> None:
    source = two_labelled(tmp_path / "data")
    (tmp_path / "data" / "images").rename(tmp_path / "disk")
    (tmp_path / "data" / "images").symlink_to(tmp_path / "disk")
    before = {path: path.read_bytes() for path in (tmp_path / "disk").rglob("*.png")}
    dataset = Dataset.load(source, follow_links=True)
    for out in (None, tmp_path / "data"):
        write_split(dataset, {"train": 0.5, "val": 0.5}, out=out, overwrite=True)
    assert {path: path.read_bytes() for path in (tmp_path / "disk").rglob("*.png")} == before
    assert len(Dataset.load(tmp_path / "data" / "train.json", follow_links=True).images) == 1
