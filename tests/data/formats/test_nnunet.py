"""The raw data of nnU-Net: what is written, out and in again, datasets of others, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dentasam.data.dataset import Category, Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats import nnunet
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ImageError

from ..coco_files import HEIGHT, TOOTH, WIDTH, block, compressed, content, images, write

OTHER = block(32, 2, 38, 9)


def disjoint() -> dict[str, Any]:
    coco = content()
    coco["annotations"] = [
        {"id": 3, "image_id": 1, "category_id": 36, "segmentation": compressed(block(2, 3, 20, 9))},
        {"id": 8, "image_id": 1, "category_id": 11, "segmentation": compressed(block(2, 9, 20, 14))},
        {"id": 9, "image_id": 2, "category_id": 99, "segmentation": compressed(TOOTH)},
    ]
    return coco


def foreign(tmp_path: Path, **changes: Any) -> Path:
    """A dataset as nnU-Net's users have it: one case, teeth 36 and 11."""
    source = tmp_path / "Dataset001_Teeth"
    for name in ("imagesTr", "labelsTr"):
        (source / name).mkdir(parents=True)
    Image.fromarray(images()["images/a.png"]).save(source / "imagesTr" / "a_1_0000.png")
    Image.fromarray((TOOTH * 1 + OTHER * 2).astype(np.uint8)).save(source / "labelsTr" / "a_1.png")
    described = {
        "channel_names": {"0": "X-ray"},
        "labels": {"background": 0, "tooth 36": 1, "tooth 41": 2},
        "numTraining": 1,
        "file_ending": ".png",
    }
    (source / "dataset.json").write_text(json.dumps(described | changes))
    return source


def found(path: Path) -> list[tuple[str, np.ndarray]]:
    (image,) = Dataset.load(path).images
    return list(zip([record.category for record in image.objects], image.masks(), strict=True))


def same(objects: list[tuple[str, np.ndarray]], names: list[str], masks: list[np.ndarray]) -> None:
    assert [name for name, _ in objects] == names
    np.testing.assert_array_equal([mask for _, mask in objects], masks)


def test_out_and_in_again(tmp_path: Path) -> None:
    before = Dataset.load(write(tmp_path / "source", disjoint()))
    wide = np.random.default_rng(2).integers(0, 4096, (HEIGHT, WIDTH), dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / "source" / "images" / "deep" / "b.png")
    assert export_dataset("nnunet", before, tmp_path / "out") == ()
    assert choose(None, [tmp_path / "out"])[0] == "nnunet"
    after = Dataset.load(import_dataset("nnunet", tmp_path / "out", tmp_path / "back"))
    assert [image.file_name for image in after.images] == ["images/a.png", "images/deep_b.png"]
    for old, new in zip(before.images, after.images, strict=True):
        assert new.tags == old.tags
        assert sorted(item.category for item in new.objects) == sorted(item.category for item in old.objects)
        order = [[item.category for item in old.objects].index(item.category) for item in new.objects]
        np.testing.assert_array_equal(new.masks(), old.masks()[order])
        np.testing.assert_array_equal(new.read(), old.read())


def test_what_is_written(tmp_path: Path) -> None:
    export_dataset("nnunet", Dataset.load(write(tmp_path / "source", disjoint())), tmp_path / "out")
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files == [
        "dataset.json",
        "imagesTr/a_0000.png",
        "imagesTr/deep_b_0000.png",
        "labelsTr/a.png",
        "labelsTr/deep_b.png",
    ]
    assert json.loads((tmp_path / "out" / "dataset.json").read_text()) == {
        "channel_names": {"0": "X-ray"},
        "labels": {"background": 0, "11": 1, "36": 2, "restoration": 3},
        "numTraining": 2,
        "file_ending": ".png",
        "numbering": "fdi",
        "tags": {"a": ["blurred"]},
    }
    labels = np.asarray(Image.open(tmp_path / "out" / "labelsTr" / "a.png"))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, block(2, 9, 20, 14) * 1 + block(2, 3, 20, 9) * 2)
    image = Image.open(tmp_path / "out" / "imagesTr" / "a_0000.png")
    np.testing.assert_array_equal(np.asarray(image), images()["images/a.png"])


def test_values_follow_the_chart_and_hold_for_each_part_of_a_dataset(tmp_path: Path) -> None:
    names = ["implant", "48", "36", "21", "11", "55", "18"]
    path = write(tmp_path / "source").parent / "images" / "a.png"
    image = ImageRecord(1, path, "a.png", WIDTH, HEIGHT, (), (ObjectRecord.from_mask(1, "36", TOOTH),))
    whole = Dataset(tmp_path, (image,), tuple(Category(index, name) for index, name in enumerate(names)))
    part = replace(whole, images=(replace(image, objects=()),))
    for dataset in (whole, part):
        files: dict[str, bytes] = {}
        write_annotations("nnunet", dataset, files.__setitem__)
        labels = json.loads(files["dataset.json"])["labels"]
        assert list(labels) == ["background", "18", "55", "11", "21", "48", "36", "implant"]
        assert list(labels.values()) == list(range(8))


def test_objects_of_one_category_are_joined_and_overlap_is_lost(tmp_path: Path) -> None:
    coco = content()
    parts = [block(2, 3, 20, 9), block(22, 3, 30, 9), block(0, 0, 40, 30)]
    ids = [36, 36, 99]
    coco["annotations"] = [
        {"id": number, "image_id": 1, "category_id": id, "segmentation": compressed(part)}
        for number, (id, part) in enumerate(zip(ids, parts, strict=True), start=1)
    ]
    notes = export_dataset("nnunet", Dataset.load(write(tmp_path / "source", coco)), tmp_path / "out")
    assert notes == (
        "of 3 objects 1 lost pixels to overlap and 0 vanished; the format png keeps them",
        "1 object joined with another of the same category in the image; the format png keeps them apart",
    )
    first, second = Dataset.load(import_dataset("nnunet", tmp_path / "out", tmp_path / "back")).images
    assert second.objects == ()
    assert [item.category for item in first.objects] == ["36", "restoration"]
    both = parts[0] | parts[1]
    np.testing.assert_array_equal(first.masks(), [both, parts[2] & ~both])


def test_cases_have_legal_names_that_differ(tmp_path: Path) -> None:
    path = write(tmp_path / "source").parent / "images" / "a.png"
    names = ["ä b.png", "A_B.png", "a_b.png", "sub/a b.png", "Zahn.Foto.png", "x" * 250 + ".png"]
    records = tuple(
        ImageRecord(
            index, path, name, WIDTH, HEIGHT, (), (ObjectRecord.from_mask(index, "36", block(index, 0, 20, 20)),)
        )
        for index, name in enumerate(names, start=1)
    )
    export_dataset("nnunet", Dataset(tmp_path, records), tmp_path / "out")
    cases = sorted(file.stem for file in (tmp_path / "out" / "labelsTr").iterdir())
    assert cases == sorted(["__b", "A_B_png", "a_b_png-2", "sub_a_b", "Zahn_Foto", "x" * 200])
    after = Dataset.load(import_dataset("nnunet", tmp_path / "out", tmp_path / "back"))
    areas = {int(image.objects[0].area) for image in after.images}
    assert areas == {int(record.objects[0].area) for record in records}


@pytest.mark.parametrize("name", ["background", "ignore"])
def test_names_with_a_meaning_are_refused(tmp_path: Path, name: str) -> None:
    coco = content()
    coco["categories"][2]["name"] = name
    dataset = Dataset.load(write(tmp_path / "source", coco))
    with pytest.raises(DatasetError, match=rf"nnU-Net gives the category '{name}' a meaning; rename it"):
        export_dataset("nnunet", dataset, tmp_path / "out")


def test_a_dataset_of_others(tmp_path: Path) -> None:
    source = foreign(tmp_path)
    assert choose(None, [source])[0] == choose(None, [source / "dataset.json"])[0] == "nnunet"
    for place in (source, source / "dataset.json"):
        path = import_dataset("nnunet", place, tmp_path / f"back{place.name}")
        same(found(path), ["36", "41"], [TOOTH, OTHER])
        assert Dataset.load(path).images[0].file_name == "images/a_1.png"


def test_regions_and_ignored_pixels(tmp_path: Path) -> None:
    labels = {"background": 0, "all": [1, 2], "second": [2], "ignore": 3}
    source = foreign(tmp_path, labels=labels, regions_class_order=[1, 2])
    values = TOOTH * 1 + OTHER * 2 + block(0, 40, 5, 50) * 3
    Image.fromarray(values.astype(np.uint8)).save(source / "labelsTr" / "a_1.png")
    lines: list[str] = []
    path = import_dataset("nnunet", source, tmp_path / "back", ImportOptions(report=lines.append))
    same(found(path), ["all", "second"], [TOOTH | OTHER, OTHER])
    assert lines == ["the label 'ignore' is left out"]


def test_version_1(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    from .test_nifti import volume

    source = foreign(tmp_path, labels={"0": "background", "1": "molar", "2": "root"})
    described = json.loads((source / "dataset.json").read_text())
    del described["file_ending"]
    (source / "dataset.json").write_text(json.dumps(described))
    values = np.linspace(0, 4000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    volume(source / "imagesTr" / "a_1_0000.nii.gz", values.T[..., None])
    volume(source / "labelsTr" / "a_1.nii.gz", (TOOTH * 1 + OTHER * 2).T[..., None].astype(np.uint8))
    path = import_dataset("nnunet", source, tmp_path / "back")
    same(found(path), ["molar", "root"], [TOOTH, OTHER])
    (image,) = Dataset.load(path).images
    assert image.file_name == "images/a_1.png"
    np.testing.assert_array_equal(np.asarray(Image.open(image.path)), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_tiff(tmp_path: Path, dtype: type) -> None:
    source = foreign(tmp_path, file_ending=".tif")
    tifffile.imwrite(source / "imagesTr" / "a_1_0000.tif", images()["images/a.png"])
    tifffile.imwrite(source / "labelsTr" / "a_1.tif", (TOOTH * 1 + OTHER * 2).astype(dtype))
    same(found(import_dataset("nnunet", source, tmp_path / "back")), ["36", "41"], [TOOTH, OTHER])
    (source / "labelsTr" / "a_1.tif").write_bytes((source / "labelsTr" / "a_1.tif").read_bytes()[:400])
    with pytest.raises(ImageError, match=r"a_1\.tif .*; "):
        import_dataset("nnunet", source, tmp_path / "back2")


def test_what_is_left_out_is_reported(tmp_path: Path) -> None:
    source = foreign(tmp_path)
    (source / "imagesTs").mkdir()
    for name in ("imagesTr/b_0000.png", "imagesTs/c_0000.png", "imagesTs/d_0000.png", "imagesTr/a_1_0001.png"):
        Image.fromarray(images()["images/a.png"]).save(source / name)
    lines: list[str] = []
    path = import_dataset("nnunet", source, tmp_path / "back", ImportOptions(report=lines.append))
    assert len(Dataset.load(path).images) == 1
    assert lines == [
        "1 files of further channels in imagesTr left out",
        "1 image of imagesTr without labels left out",
        "2 images of imagesTs without labels left out",
    ]


def test_test_images_with_labels_are_read(tmp_path: Path) -> None:
    source = foreign(tmp_path)
    for name in ("imagesTs", "labelsTs"):
        (source / name).mkdir()
    Image.fromarray(images()["images/a.png"]).save(source / "imagesTs" / "t_0000.png")
    Image.fromarray(TOOTH.astype(np.uint8)).save(source / "labelsTs" / "t.png")
    after = Dataset.load(import_dataset("nnunet", source, tmp_path / "back"))
    assert [image.file_name for image in after.images] == ["images/a_1.png", "images/t.png"]
    np.testing.assert_array_equal(after.images[1].masks(), [TOOTH])


def test_the_images_of_a_labelling_server(tmp_path: Path) -> None:
    export_dataset("nnunet", Dataset.load(write(tmp_path / "source", disjoint())), tmp_path / "out")
    worklist = [SourceImage(name, tmp_path / "none.png", (HEIGHT, WIDTH)) for name in ("a.png", "deep/b.png")]
    known = SourceImages(worklist, "the worklist")
    records = nnunet.read(tmp_path / "out", known, ReadOptions(tmp_path / "scratch")).records
    loaded = [record.load() for record in records]
    assert [image.file_name for image in loaded] == ["a.png", "deep/b.png"]
    assert [[item.category for item in image.objects] for image in loaded] == [["11", "36"], ["restoration"]]
    known = SourceImages(worklist[:1], "the worklist")
    records = nnunet.read(tmp_path / "out", known, ReadOptions(tmp_path / "scratch")).records
    with pytest.raises(DatasetError, match=r"deep_b\.png: its image 'deep_b_0000\.png' is not in the worklist; put"):
        records[1].load()


def _json(**changes: Any) -> Callable[[Path], object]:
    def change(source: Path) -> None:
        described = json.loads((source / "dataset.json").read_text())
        (source / "dataset.json").write_text(json.dumps(described | changes))

    return change


def _labels(values: np.ndarray) -> Callable[[Path], object]:
    return lambda source: Image.fromarray(values).save(source / "labelsTr" / "a_1.png")


BENT: dict[str, Callable[[Path], object]] = {
    "no json": lambda source: (source / "dataset.json").unlink(),
    "not json": lambda source: (source / "dataset.json").write_text("{"),
    "a list": lambda source: (source / "dataset.json").write_text("[]"),
    "deep": lambda source: (source / "dataset.json").write_text('{"labels":' * 100000),
    "wrong bytes": lambda source: (source / "dataset.json").write_bytes(b"\xff\xfe\xff"),
    "no labels": _json(labels={}),
    "labels in a list": _json(labels=["36"]),
    "label without value": _json(labels={"background": 0, "36": None}),
    "label with a fraction": _json(labels={"background": 0, "36": 1.5}),
    "label of text": _json(labels={"background": 0, "36": "one"}),
    "label that is negative": _json(labels={"background": 0, "36": -1}),
    "huge label": _json(labels={"background": 0, "36": 10**30}),
    "two names of one value": _json(labels={"background": 0, "36": 1, "37": 1, "b": 2}),
    "two names of one region": _json(labels={"background": 0, "36": [1, 2], "37": [2, 1]}),
    "a name twice": lambda source: (source / "dataset.json").write_text(
        '{"file_ending": ".png", "labels": {"36": 1, "b": 2, "b": 2}}'
    ),
    "empty region": _json(labels={"background": 0, "36": []}),
    "label without a name": _json(labels={"background": 0, " ": 1, "b": 2}),
    "unnamed value": _json(labels={"background": 0, "36": 1}),
    "other ending": _json(file_ending=".mha"),
    "ending of another kind": _json(file_ending={"a": 1}),
    "ending without files": _json(file_ending=".tif"),
    "tags of another kind": _json(tags={"a_1": "blurred"}),
    "missing image": lambda source: (source / "imagesTr" / "a_1_0000.png").unlink(),
    "missing labels": lambda source: (source / "labelsTr" / "a_1.png").unlink(),
    "empty labels": lambda source: (source / "labelsTr" / "a_1.png").write_bytes(b""),
    "damaged labels": lambda source: (source / "labelsTr" / "a_1.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing"),
    "other size": _labels(TOOTH[1:].astype(np.uint8)),
    "in colour": _labels(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)),
}


@pytest.mark.parametrize("bend", BENT)
def test_bent_datasets_are_one_line(tmp_path: Path, bend: str) -> None:
    source = foreign(tmp_path)
    BENT[bend](source)
    with pytest.raises((DatasetError, ImageError)) as caught:
        import_dataset("nnunet", source, tmp_path / "back")
    line = str(caught.value)
    assert any(name in line for name in ("dataset.json", "a_1.png"))
    assert "; " in line
    assert "\n" not in line
    assert len(line) < 400
    assert not (tmp_path / "back").exists()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 5)))
def test_any_disjoint_masks_come_back(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("masks")
    Image.fromarray(values).save(folder / "a.png")
    names = dict(zip(range(1, 6), ["18", "55", "36", "caries", "implant"], strict=True))
    present = [value for value in names if (values == value).any()]
    objects = tuple(ObjectRecord.from_mask(value, names[value], values == value) for value in present)
    image = ImageRecord(1, folder / "a.png", "a.png", values.shape[1], values.shape[0], (), objects)
    export_dataset("nnunet", Dataset(folder, (image,)), folder / "out")
    options = ImportOptions(numbering=Numbering.fdi)
    after = dict(found(import_dataset("nnunet", folder / "out", folder / "back", options)))
    assert after.keys() == {names[value] for value in present}
    for value in present:
        np.testing.assert_array_equal(after[names[value]], values == value)
