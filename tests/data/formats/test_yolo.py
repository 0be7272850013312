"""YOLO for segmentation: the layouts of its tools, there and back, and what is refused."""

import json
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.ndimage import binary_fill_holes, label
from scipy.sparse.csgraph import minimum_spanning_tree

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats import yolo
from dentasam.data.formats.codecs import yolo_rows
from dentasam.data.formats.codecs.yolo_rows import class_and_mask, row_of_mask
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.formats.yolo import read
from dentasam.data.masks.outlines import outlines_of_mask
from dentasam.data.masks.polygons import PolygonRule
from dentasam.errors import DatasetError, ImageError
from dentasam.model.windows.boxed_mask import BoxedMask

from ..coco_files import content, write

# Rows of Ultralytics on 5 x 4 pixels and the pixels that its dataset draws.
SQUARE = "0 0.2 0.25 0.6 0.25 0.6 0.75 0.2 0.75"
SQUARE_MASK = [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0]]
CENTRES = "1 0.3 0.375 0.5 0.375 0.5 0.625 0.3 0.625"
CENTRES_MASK = [[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
BOX = "1 0.5 0.5 0.4 0.4"
LIST = "train: ../train/images\nval: ../valid/images\nnc: 3\nnames: ['36', no, 018]\n"
MAPPING = "path: ../datasets/pano\ntrain: images/train\nval: images/val\nnames:\n  0: '36'\n  1: no\n  2: 018\n"


def placed(folder: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """Writes files of text; an image of 5 x 4 pixels where there is no text."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            Image.new("L", (5, 4), sum(map(ord, name)) % 256).save(path)
        else:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


LAYOUTS: dict[str, dict[str, str | bytes | None]] = {
    "ultralytics": {
        "data.yaml": MAPPING,
        "images/train/a.jpg": None,
        "images/val/a.jpg": None,
        "labels/train/a.txt": f"{SQUARE}\n\n{CENTRES}\n",
        "labels/val/a.txt": "",
    },
    "roboflow": {
        "data.yaml": LIST,
        "README.roboflow.txt": "exported",
        "train/images/a.v1.jpg": None,
        "valid/images/a.v1.jpg": None,
        "train/labels/a.v1.txt": f"\ufeff{SQUARE}\r\n{CENTRES}",
        "valid/labels/a.v1.txt": "",
    },
    "darknet": {
        "obj.names": "36\nno\n018\n\n",
        "train.txt": "obj_train_data/a.jpg",
        "obj_train_data/a.jpg": None,
        "obj_train_data/b.jpg": None,
        "obj_train_data/a.txt": f"{SQUARE}\n{CENTRES}",
        "obj_train_data/b.txt": "",
    },
    "label studio": {
        "classes.txt": "36\nno\n018\n",
        "notes.json": '{"categories": [{"id": 0, "name": "36"}], "info": {}}',
        "images/a.jpg": None,
        "images/test.jpg": None,
        "labels/a.txt": f"{SQUARE}\n{CENTRES}",
        "labels/test.txt": "",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    source = placed(tmp_path / "in", LAYOUTS[layout])
    assert choose(None, [source])[0] == "yolo"
    lines: list[str] = []
    path = import_dataset("yolo", source, tmp_path / "out", ImportOptions(report=lines.append))
    first, second = Dataset.load(path).images
    assert [record.category for record in first.objects] == ["36", "no"]
    np.testing.assert_array_equal(first.masks(), np.array([SQUARE_MASK, CENTRES_MASK], bool))
    assert second.objects == ()
    labelled = next(name for name, text in LAYOUTS[layout].items() if text is None)
    assert first.path.read_bytes() == (source / labelled).read_bytes()
    assert lines == []


def test_the_yaml_itself_and_a_folder_of_images(tmp_path: Path) -> None:
    files = LAYOUTS["ultralytics"]
    source = placed(tmp_path / "in", {name: text for name, text in files.items() if text is not None})
    pictures = placed(tmp_path / "x", {"images/train/a.png": None, "images/val/a.png": None})
    path = import_dataset("yolo", source / "data.yaml", tmp_path / "out", ImportOptions(images=pictures))
    assert [len(image.objects) for image in Dataset.load(path).images] == [2, 0]


def test_images_of_a_worklist(tmp_path: Path) -> None:
    files = {name: text for name, text in LAYOUTS["ultralytics"].items() if text is not None}
    source = placed(tmp_path / "in", files | {"labels/train/c.txt": SQUARE})
    worklist = SourceImages([SourceImage("scans/c.dcm", tmp_path / "none.dcm", (4, 5))], "the worklist")
    records = read(source, worklist, ReadOptions(tmp_path)).records
    (last,) = (record for record in records if record.where.endswith("c.txt"))
    loaded = last.load()
    assert (loaded.file_name, [record.category for record in loaded.objects]) == ("scans/c.dcm", ["36"])
    assert len(records) == 3
    for record in records:
        if record is not last:
            with pytest.raises(ImageNotFound):
                record.load()


def test_boxes_beside_outlines_are_passed_over(tmp_path: Path) -> None:
    files = {"data.yaml": LIST, "images/a.png": None, "images/b.png": None, "labels/a.txt": f"{SQUARE}\n{BOX}\n{BOX}"}
    lines: list[str] = []
    source = placed(tmp_path / "in", files)
    path = import_dataset("yolo", source, tmp_path / "out", ImportOptions(report=lines.append))
    assert [len(image.objects) for image in Dataset.load(path).images] == [1]
    assert lines == [
        "boxes without outlines passed over: 2 rows; draw masks where they are needed",
        "images without a label file left out: 1; an empty one says 'no objects'",
    ]
    placed(source, {"labels/a.txt": f"{BOX}\n{BOX}"})
    with pytest.raises(DatasetError, match="all of its 2 rows are boxes, without outlines; export it again for segm"):
        import_dataset("yolo", source, tmp_path / "2")


def test_out_and_in_again(tmp_path: Path) -> None:
    coco = content()
    coco["categories"][2]["name"] = "root: canal, 'Füllung'\n#"
    coco["images"][1]["file_name"] = "images/a.tif"
    source = write(tmp_path / "source", coco)
    Image.new("L", (60, 40), 9).save(tmp_path / "source" / "images" / "a.tif")
    before = Dataset.load(source)
    assert export_dataset("yolo", before, tmp_path / "out") == ()
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == ["data.yaml", "images/2-a.tif", "images/a.png", "labels/2-a.txt", "labels/a.txt", "tags.json"]
    described = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert described["names"] == {0: "11", 1: "36", 2: "root: canal, 'Füllung'\n#"}
    assert (described["nc"], described["numbering"]) == (3, "fdi")
    after = Dataset.load(import_dataset("yolo", tmp_path / "out", tmp_path / "back"))
    by_name = {image.file_name: image for image in after.images}
    for old, name in zip(before.images, ("images/a.png", "images/2-a.tif"), strict=True):
        new = by_name[name]
        assert new.tags == old.tags
        assert new.path.read_bytes() == old.path.read_bytes()
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


@settings(max_examples=150, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)), fill=st.nothing()), st.integers(0, 3))
def test_no_pixel_is_lost(mask: np.ndarray, margin: int) -> None:
    height, width = (size + 2 * margin for size in mask.shape)
    if not mask.any():
        return
    row = row_of_mask(BoxedMask(margin, margin, mask), height, width)
    category, drawn = class_and_mask(row.line(7), height, width)
    back = drawn.on_image(height, width)
    filled = binary_fill_holes(np.pad(mask, margin))
    _, parts = label(filled, np.ones((3, 3)))
    assert (category, row.parts) == (7, parts)
    assert (row.holes > 0) == (filled.sum() > mask.sum())
    # The lines between the parts, each shorter than the image's diagonal, are all that is new.
    assert back[filled].all()
    assert (back & ~filled).sum() <= (parts - 1) * max(height, width)
    assert label(back, np.ones((3, 3)))[1] == 1


def test_what_is_lost_is_counted(tmp_path: Path) -> None:
    ring, parts = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    ring[2:18, 2:18] = True
    ring[5:15, 5:15] = False
    ring[8:12, 8:12] = True
    parts[3:6, 3:6] = parts[3:6, 10:14] = True
    objects = tuple(ObjectRecord.from_mask(k, "36", mask) for k, mask in enumerate((ring, parts), start=1))
    image = ImageRecord(1, tmp_path / "a.png", "images/sub/images/a.png", 30, 20, objects=objects, crowds=objects[:1])
    files: dict[str, bytes] = {}
    assert write_annotations("yolo", Dataset(tmp_path, (image,)), files.__setitem__) == (
        "the holes of 1 object were filled; coco and png keep them",
        "the parts of 1 object were joined by lines one pixel wide; coco and png keep them",
        "1 region of many objects (iscrowd 1) left out; coco keeps them",
    )
    first, second = files["images/sub/labels/a.txt"].decode().splitlines()
    np.testing.assert_array_equal(class_and_mask(first, 20, 30)[1].on_image(20, 30), binary_fill_holes(ring))
    parts[3, 6:10] = True
    np.testing.assert_array_equal(class_and_mask(second, 20, 30)[1].on_image(20, 30), parts)


def test_parts_are_joined_by_the_shortest_lines() -> None:
    """Against a search of all pairs of points, on masks with many equal distances."""
    rng = np.random.default_rng(3)
    for share in (0.02, 0.1, 0.3):
        bits = rng.random((30, 40)) < share
        rings = [outline.points for outline in outlines_of_mask(binary_fill_holes(bits), PolygonRule.yolo)]
        between = np.array([[((a[:, None] - b[None]) ** 2).sum(axis=2).min() for b in rings] for a in rings])
        wanted = np.sqrt(minimum_spanning_tree(between).data).sum()
        points = row_of_mask(BoxedMask(0, 0, bits), 30, 40).points * (40, 30)
        closed = np.concatenate([points, points[:1]])
        own = sum(np.linalg.norm(np.diff(np.concatenate([ring, ring[:1]]), axis=0), axis=1).sum() for ring in rings)
        assert np.linalg.norm(np.diff(closed, axis=0), axis=1).sum() == pytest.approx(own + 2 * wanted)


def test_noise_is_joined_in_little_memory() -> None:
    """1,000 parts; all distances between their points would be 100 MB."""
    bits = np.zeros((100, 160), bool)
    bits[::4, ::4] = True
    tracemalloc.start()
    try:
        row = row_of_mask(BoxedMask(0, 0, bits), 100, 160)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (row.parts, row.left_out) == (1000, 0)
    assert peak < 10e6


def test_of_too_many_parts_the_smallest_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(yolo_rows, "MAX_POINTS", 20)
    bits = np.zeros((20, 30), bool)
    bits[2, 2:25:3] = True  # eight parts of one pixel, of five points with their lines
    bits[6:9, 5:9] = bits[12:16, 5:9] = True
    object = ObjectRecord.from_mask(1, "36", bits)
    image = ImageRecord(1, tmp_path / "a.png", "images/a.png", 30, 20, objects=(object,))
    files: dict[str, bytes] = {}
    assert write_annotations("yolo", Dataset(tmp_path, (image,)), files.__setitem__) == (
        "the parts of 1 object were joined by lines one pixel wide; coco and png keep them",
        "the 7 smallest parts of objects with too many were left out; coco and png keep them",
    )
    back = class_and_mask(files["labels/a.txt"].decode(), 20, 30)[1].on_image(20, 30)
    assert back[6:9, 5:9].all()
    assert back[12:16, 5:9].all()
    assert back[2, 2:25:3].sum() == 1
    monkeypatch.setattr(yolo_rows, "MAX_POINTS", 3)
    row = row_of_mask(BoxedMask(0, 0, bits), 20, 30)
    assert (row.parts, row.left_out) == (1, 9)
    monkeypatch.setattr(yolo, "MAX_FILE_BYTES", 50)
    with pytest.raises(DatasetError, match=r"a\.png: its outlines need more than .* MB; export as png"):
        write_annotations("yolo", Dataset(tmp_path, (image,)), files.__setitem__)


def test_the_longest_outline_of_a_mask_is_read_again() -> None:
    """Teeth of a comb, one pixel wide: the outline passes along each on both sides."""
    bits = np.zeros((1500, 3000), bool)
    bits[0] = bits[:, ::2] = True
    row = row_of_mask(BoxedMask(0, 0, bits), 1500, 3000)
    np.testing.assert_array_equal(class_and_mask(row.line(0), 1500, 3000)[1].on_image(1500, 3000), bits)


@pytest.mark.parametrize(("text", "line"), [("36\n\n37\n38\n", 2), ("\n36\n", 1)])
def test_a_blank_line_among_names_shifts_none(tmp_path: Path, text: str, line: int) -> None:
    files = {"classes.txt": text, "images/a.png": None, "labels/a.txt": SQUARE}
    with pytest.raises(DatasetError, match=rf"classes\.txt, line {line}: it has no name; write that of the class"):
        import_dataset("yolo", placed(tmp_path / "in", files), tmp_path / "out")


BAD_ROWS = {
    "box of NaN": "0 nan nan nan nan",
    "box of words": "1 0.5 0.5 wide 0.4",
    "six numbers": "1 0.5 0.5 0.4 0.4 0.9",
    "eight numbers": f"{SQUARE} 0.9",
    "two numbers": "1 0.5",
    "one point": "1 0.5 0.5",
    "words": "tooth 0.2 0.25 0.6 0.25 0.6 0.75",
    "NaN": "1 nan 0.25 0.6 0.25 0.6 0.75",
    "infinite": "1 1e400 0.25 0.6 0.25 0.6 0.75",
    "huge": f"{'9' * 5000} 0.2 0.25 0.6 0.25 0.6 0.75",
    "huge class": "1e300 0.2 0.25 0.6 0.25 0.6 0.75",
    "pixels": "1 20 30 50 30 50 70",
    "unknown class": "3 0.2 0.25 0.6 0.25 0.6 0.75",
    "negative class": "-1 0.2 0.25 0.6 0.25 0.6 0.75",
    "half a class": "1.5 0.2 0.25 0.6 0.25 0.6 0.75",
    "outside": "1 1.2 1.25 1.6 1.25 1.6 1.75",
    "underscore": "1 .2_0 0.25 0.6 0.25 0.6 0.75",
    "digits of another script": "1 ٠.2 0.25 0.6 0.25 0.6 0.75",
    "class in another script": "١ 0.2 0.25 0.6 0.25 0.6 0.75",
    "commas": "1,0.2,0.25,0.6,0.25,0.6,0.75",
}


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_named_or_left_out(tmp_path: Path, bad: str) -> None:
    files = {"data.yaml": LIST, "images/a.png": None, "labels/a.txt": f"{SQUARE}\n{bad}\n{CENTRES}\n"}
    source = placed(tmp_path / "in", files)
    with pytest.raises(DatasetError, match=r"labels/a\.txt, row 2: .*; export it again for segmentation, or delete"):
        import_dataset("yolo", source, tmp_path / "out")
    left_out: list[str] = []
    path = import_dataset("yolo", source, tmp_path / "out", ImportOptions(skip_bad=left_out.append))
    np.testing.assert_array_equal(Dataset.load(path).images[0].masks(), np.array([SQUARE_MASK, CENTRES_MASK], bool))
    assert len(left_out) == 1


BENT: dict[str, dict[str, str | bytes | None]] = {
    "no names": {"data.yaml": "train: images\nnc: 3\nnames:\n"},
    "names of lists": {"data.yaml": "nc: 1\nnames: [[1], [2]]"},
    "names by word": {"data.yaml": "nc: 1\nnames: {a: b}"},
    "a class twice, alike": {"data.yaml": 'nc: 1\nnames: {0: "36", 0: "37"}'},
    "a key twice": {"data.yaml": "nc: 1\nnames: [a]\nnames: [b]"},
    "a class twice": {"data.yaml": "nc: 1\nnames: {0: b, 00: c}"},
    "no mapping": {"data.yaml": "- names: 1"},
    "not YAML": {"data.yaml": "names: [a, b"},
    "deep YAML": {"data.yaml": "names: " + "[" * 20_000},
    "objects of Python": {"data.yaml": "names: !!python/object/apply:os.getcwd []"},
    "keypoints": {"data.yaml": LIST + "kpt_shape: [17, 3]\n"},
    "another encoding": {"data.yaml": LIST.replace("no", "Zähne").encode("latin-1")},
    "labels in another encoding": {"labels/a.txt": f"{SQUARE} \xe4".encode("latin-1")},
    "labels in Latin-1": {"labels/a.txt": (SQUARE + "é").encode("latin-1")},
    "labels of bytes": {"labels/a.txt": bytes(range(256))},
    "no image": {"labels/b.txt": SQUARE},
    "another YAML": {"dataset.yaml": LIST},
    "an image twice": {"images/a.jpg": None},
    "a damaged image": {"images/a.png": b"\x89PNG\r\n\x1a\n"},
}


@pytest.mark.parametrize("files", BENT.values(), ids=BENT.keys())
def test_bent_datasets(tmp_path: Path, files: dict[str, str | bytes | None]) -> None:
    good: dict[str, str | bytes | None] = {"data.yaml": LIST, "images/a.png": None, "labels/a.txt": SQUARE}
    source = placed(tmp_path / "in", good | files)
    with pytest.raises(
        (DatasetError, ImageError), match=r"^.*(data\.yaml|several YAML|a\.png|[ab]\.txt).*; .*$"
    ) as caught:
        import_dataset("yolo", source, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [("data.yaml", r"has no data\.yaml and no classes\.txt; put"), ("labels/a.txt", "holds no label files; name")],
)
def test_a_part_is_missing(tmp_path: Path, missing: str, message: str) -> None:
    source = placed(tmp_path / "in", {"data.yaml": LIST, "images/a.png": None, "labels/a.txt": SQUARE})
    (source / missing).unlink()
    with pytest.raises(DatasetError, match=message):
        import_dataset("yolo", source, tmp_path / "out")


@pytest.mark.parametrize(("names", "marked"), [(["36", "crown"], True), (["3", "19"], False), (["crown"], False)])
def test_only_fdi_is_marked_as_fdi(tmp_path: Path, names: list[str], marked: bool) -> None:
    objects = tuple(ObjectRecord.from_mask(1, name, np.ones((4, 5), bool)) for name in names)
    files: dict[str, bytes] = {}
    image = ImageRecord(1, tmp_path / "a.png", "a.png", 5, 4, objects=objects)
    write_annotations("yolo", Dataset(tmp_path, (image,)), files.__setitem__)
    assert ("numbering" in yaml.safe_load(files["data.yaml"])) == marked


def test_a_glance_tells_yolo_from_others(tmp_path: Path) -> None:
    coco = json.dumps(content())
    checks: dict[str, Callable[[Path], Path]] = {
        "labels": lambda folder: placed(folder, {"images/a.png": None, "labels/a.png": None}),
        "cvat": lambda folder: placed(folder, {"annotations.xml": "<annotations><version>1.1</version>"}),
        "coco": lambda folder: placed(folder, {"docker.yaml": "names: nothing", "dataset.json": coco}),
    }
    for name, make in checks.items():
        assert choose(None, [make(tmp_path / name)])[0] == name
    with pytest.raises(DatasetError, match="no dataset format is recognised"):
        choose(None, [placed(tmp_path / "other", {"docker.yaml": "names: nothing"})])
