"""Label Studio: exports as its versions write them, masks there and back, and bad files."""

from __future__ import annotations

import base64
import json
import math
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord
from dentasam.data.formats.codecs.label_studio_rle import encode
from dentasam.data.formats.importing.run import images_of
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.label_studio import read, recognises
from dentasam.data.formats.registry import choose, export_dataset, import_dataset
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ImageError

from ..coco_files import content, write

WIDTH, HEIGHT = 5, 4
# Drawn on the page with a red brush, on 4 rows of 5 pixels.
MIXED = [[1, 1, 0, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
RED = bytes.fromhex(
    "00000050391bf81ff08043ff08001ff38001ff08043ff08001ff38001ff08043ff08001ff38001ff08043ff08001ff84c000ff84020ff0"
)
ANY = ImportOptions(numbering=Numbering.fdi)


def region(kind: str, value: Any, id: Any = "r1", **more: Any) -> dict[str, Any]:
    return {
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
        "id": id,
        "from_name": "label",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
        **more,
    }


def brush(mask: Any = MIXED, *labels: str, **more: Any) -> dict[str, Any]:
    rle = encode(np.array(mask, bool))
    return region("brushlabels", {"format": "rle", "rle": rle, "brushlabels": list(labels or ["36"])}, **more)


def box(*numbers: float, id: str = "r1", label: str = "36") -> dict[str, Any]:
    names = ("x", "y", "width", "height", "rotation")
    return region("rectanglelabels", {**dict(zip(names, numbers, strict=True)), "rectanglelabels": [label]}, id)


def task(*results: Any, image: str = "/data/upload/1/0a1b2c3d-a.png", **more: Any) -> dict[str, Any]:
    annotations = [
        {"id": 7 + place, "completed_by": 1 + place, "was_cancelled": False, "result": list(result)}
        for place, result in enumerate(results)
    ]
    return {"id": 3, "annotations": annotations, "predictions": [], "data": {"image": image}, "meta": {}, **more}


def source_of(folder: Path, *tasks: Any, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    folder.mkdir(exist_ok=True)
    Image.new("L", size, 90).save(folder / "a.png")
    (folder / "project-1-at-2024-01-02-03-04.json").write_text(json.dumps(list(tasks)))
    return folder


def imported(source: Path, out: Path, options: ImportOptions = ANY) -> list[ImageRecord]:
    return list(Dataset.load(import_dataset("label-studio", source, out, options)).images)


def masks_of(tmp_path: Path, *entries: Any, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    (image,) = imported(source_of(tmp_path / "in", task(entries), size=size), tmp_path / "out")
    return image.masks()


def test_a_brush_of_the_page(tmp_path: Path) -> None:
    value = {"format": "rle", "rle": list(RED), "brushlabels": ["36"]}
    np.testing.assert_array_equal(masks_of(tmp_path, region("brushlabels", value)), [MIXED])


def test_a_box_turns_about_its_corner_in_pixels(tmp_path: Path) -> None:
    turned, straight = masks_of(tmp_path, box(60, 25, 40, 50, 90), box(20, 25, 40, 50, 0, id="r2"))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(turned, expected)
    np.testing.assert_array_equal(straight, expected)


def test_polygons_and_ellipses_are_in_percent(tmp_path: Path) -> None:
    points = [[20, 25], [60, 25], [60, 75], [20, 75]]
    polygon = region("polygonlabels", {"points": points, "closed": True, "polygonlabels": ["36"]})
    ellipse = {"x": 50, "y": 50, "radiusX": 30, "radiusY": 20, "rotation": 0, "ellipselabels": ["37"]}
    turned = {**ellipse, "x": 50, "y": 50, "radiusX": 20, "radiusY": 60, "rotation": 90}
    size = (100, 50)
    first, second, third = masks_of(
        tmp_path,
        *(
            {**entry, "original_width": size[0], "original_height": size[1]}
            for entry in (polygon, region("ellipselabels", ellipse, "r2"), region("ellipselabels", turned, "r3"))
        ),
        size=size,
    )
    assert first.sum() == 40 * 25
    rows, columns = np.mgrid[:50, :100] + 0.5
    expected = ((columns - 50) / 30) ** 2 + ((rows - 25) / 10) ** 2 <= 1
    np.testing.assert_array_equal(second, expected)
    # 20 across and 30 down, turned by a quarter.
    np.testing.assert_array_equal(third, ((columns - 50) / 30) ** 2 + ((rows - 25) / 20) ** 2 <= 1)


def test_a_bitmask(tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = np.array(MIXED) * 255
    coded = BytesIO()
    Image.fromarray(pixels).save(coded, "PNG")
    url = "data:image/png;base64," + base64.b64encode(coded.getvalue()).decode()
    entry = region("bitmasklabels", {"imageDataURL": url, "bitmasklabels": ["36"]})
    np.testing.assert_array_equal(masks_of(tmp_path, entry), [MIXED])


def test_several_annotators_are_several_records(tmp_path: Path) -> None:
    other = task([brush()], [brush(np.ones((4, 5)))])
    other["annotations"][1]["completed_by"] = {"id": 5, "email": "bo@example.org"}
    other["annotations"].append({"id": 12, "was_cancelled": True, "result": []})
    other["predictions"] = [{"result": [brush()]}]
    lines: list[str] = []
    path = import_dataset(
        "label-studio",
        source_of(tmp_path / "in", other, {**task(), "id": 4}),
        tmp_path / "out",
        ImportOptions(numbering=Numbering.fdi, report=lines.append),
    )
    images = json.loads(path.read_text())["images"]
    assert [image["annotator"] for image in images] == [1, "bo@example.org"]
    assert {image["file_name"] for image in images} == {"images/a.png"}
    assert [image.masks().sum() for image in Dataset.load(path).images] == [9, 20]
    assert lines == [
        "predictions left out, since they are not annotations: 1",
        "annotations left out, since they were cancelled: 1",
        "tasks left out, since they have no annotation: 1",
    ]


def test_labels_of_their_own_several_labels_and_what_is_left_out(tmp_path: Path) -> None:
    rle = encode(np.array(MIXED, bool))
    entries = [
        region("brush", {"format": "rle", "rle": rle}, "b"),
        region("labels", {"format": "rle", "rle": rle, "labels": ["36", "crown"]}, "b"),
        region("choices", {"choices": ["worn"]}, "b"),
        region("keypointlabels", {"x": 1, "y": 1, "width": 1, "keypointlabels": ["apex"]}, "k"),
        region("brush", {"format": "rle", "rle": rle}, "without a label"),
        {"type": "relation", "from_id": "b", "to_id": "k", "direction": "right"},
        {"type": "textarea", "id": "t", "from_name": "t", "to_name": "image", "value": {"text": ["x"]}},
        {
            "type": "choices",
            "id": "c",
            "from_name": "c",
            "to_name": "image",
            "value": {"choices": ["blurred", "old"]},
        },
        box(0, 0, 40, 50, 0, id="same"),
        box(0, 0, 40, 50, 0, id="same", label="37"),
        box(40, 0, 40, 50, 0, id="same", label="38"),
    ]
    lines: list[str] = []
    options = ImportOptions(numbering=Numbering.fdi, report=lines.append)
    (image,) = imported(source_of(tmp_path / "in", task(entries)), tmp_path / "out", options)
    assert [(item.category, item.area) for item in image.objects] == [
        ("36", 9),
        ("crown", 9),
        ("36", 4),
        ("37", 4),
        ("38", 4),
    ]
    assert image.tags == ("blurred", "old")
    assert sorted(lines) == [
        "entries of the type 'choices of a region' left out: 1",
        "entries of the type 'relation' left out: 1",
        "entries of the type 'textarea' left out: 1",
        "regions left out, since they have no label: 1",
        "regions of the type keypoint left out, since they have no area: 1",
        "regions with several labels, an object for each of them: 2",
    ]


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/data/upload/1/0a1b2c3d-a.png", "a.png"),
        ("/data/upload/1/0a1b2c3d-a.png", "upload/1/0a1b2c3d-a.png"),
        ("upload/1/0a1b2c3d-a.png", "media/0a1b2c3d-a.png"),
        ("/data/local-files/?d=scans/a%20b.png", "scans/a b.png"),
        ("/data/local-files/?d=scans%5Ca+b.png", "a+b.png"),
        ("s3://bucket/deep/a.png", "deep/a.png"),
        ("https://host.example/data/upload/1/Z%C3%A4hne.png?token=1", "Zähne.png"),
        ("/tasks/3/resolve/?fileuri=" + base64.b64encode(b"gs://bucket/a.png").decode(), "a.png"),
        ("a.png", "a.png"),
    ],
)
def test_addresses_of_images(tmp_path: Path, address: str, file: str) -> None:
    source = source_of(tmp_path / "in", task([brush()], image=address))
    (source / "a.png").rename(tmp_path / "image.png")
    (source / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "image.png").rename(source / file)
    (image,) = imported(source, tmp_path / "out")
    assert image.file_name == f"images/{file}"


def test_other_keys_and_file_upload_name_the_image(tmp_path: Path) -> None:
    first = task([brush()])
    first["data"] = {"patient": "7", "xray": "/data/upload/1/0a1b2c3d-a.png"}
    second = {**task([brush()]), "data": {"xray": 4}, "file_upload": "0a1b2c3d-a.png", "id": 4}
    completions = task([brush()], id=5)
    completions["completions"] = completions.pop("annotations")
    assert len(imported(source_of(tmp_path / "in", first, second, completions), tmp_path / "out")) == 3


def test_out_and_in_again(tmp_path: Path) -> None:
    coco = content()
    coco["categories"][2]["name"] = 'Füllung <"&> 1'
    coco["images"][0]["tags"] = ["blurred", "old"]
    before = Dataset.load(write(tmp_path / "source", coco))
    assert export_dataset("label-studio", before, tmp_path / "out") == ()
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert tasks[1]["data"] == {"image": "/data/local-files/?d=images/deep/b.png", "numbering": "fdi"}
    assert tasks[0]["annotations"][0]["result"][0]["type"] == "brushlabels"
    config = ElementTree.parse(tmp_path / "out" / "labeling_config.xml")
    controls = {element.get("name"): element.get("toName") for element in config.getroot()}
    assert controls == {"image": None, "label": "image", "tags": "image"}
    assert [label.get("value") for label in config.iter("Label")] == ["36", 'Füllung <"&> 1', "11"]
    assert recognises(tmp_path / "out")
    assert choose(None, [tmp_path / "out"])[0] == "label-studio"
    after = Dataset.load(import_dataset("label-studio", tmp_path / "out", tmp_path / "back"))
    for old, new in zip(before.images, after.images, strict=True):
        assert (new.file_name, new.tags) == (old.file_name, old.tags)
        assert new.path.read_bytes() == old.path.read_bytes()
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


def test_sizes(tmp_path: Path) -> None:
    # Polygons and boxes are in percent: they fit the same image in another size, brushes do not.
    assert masks_of(tmp_path, box(20, 25, 40, 50, 0), size=(50, 40)).sum() == 400
    for name, entry, size in (("1", box(0, 0, 40, 50, 0), (50, 50)), ("2", brush(), (50, 40))):
        source = source_of(tmp_path / "in", task([entry]), size=size)
        with pytest.raises(DatasetError, match=r"task 3, annotation 7: .* drawn on 5x4 pixels, a.png has 50x.0; put"):
            imported(source, tmp_path / name)


def test_an_image_that_the_browser_turned_is_refused(tmp_path: Path) -> None:
    entry = {**box(0, 0, 50, 50, 0), "original_width": HEIGHT, "original_height": WIDTH}
    source = source_of(tmp_path / "in", task([entry], image="b.jpg"))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (WIDTH, HEIGHT)).save(source / "b.jpg", exif=exif)
    with pytest.raises(DatasetError, match="has the orientation tag 6, and its objects were drawn on the turned"):
        imported(source, tmp_path / "out")


def setting(*path: Any) -> Callable[[Any], None]:
    *keys, last, value = path

    def change(tasks: Any) -> None:
        for key in keys:
            tasks = tasks[key]
        tasks[last] = value

    return change


def bent(change: Callable[[Any], None]) -> bytes:
    ellipse = {"x": 50, "y": 50, "radiusX": 30, "radiusY": 20, "rotation": 0, "ellipselabels": ["37"]}
    polygon = {"points": [[0, 0], [50, 0], [50, 50]], "polygonlabels": ["38"]}
    entries = [brush(), box(0, 0, 40, 50, 0, id="r2"), region("ellipselabels", ellipse, "r3")]
    tasks = [task([*entries, region("polygonlabels", polygon, "r4"), {"type": "relation"}])]
    change(tasks)
    return json.dumps(tasks).encode()


def bitmask(url: Any) -> dict[str, Any]:
    return region("bitmasklabels", {"imageDataURL": url, "bitmasklabels": ["37"]}, "r5")


RESULT = (0, "annotations", 0, "result")
NUMBERS: list[Any] = [None, "1", [], True, math.nan, 1e400, 10**400, 1e9, -1e9]
POINTS: list[Any] = [None, 3, [], [[1, 2]], [[1, 2], [3, 4]], [[1], [2], [3]], [["1", "2"]] * 3, [[math.nan, 1]] * 3]
POINTS += [[[1e400, 1]] * 3, [[10**400, 1]] * 3, [[1e9, 1], [2, 2], [3, 3]], [[200, 200], [210, 200], [200, 210]]]
LABELS: list[Any] = ["36", [3], [""], {"a": 1}, 4]
RLES: list[Any] = [None, [], "x", [1, 2, 3], [256], {}, [0] * 60]
TASKS: list[Any] = [None, 3, [], "x", {}, {"data": 1, "annotations": []}, {"data": {}, "annotations": [3]}]
TASKS += [{"image": "a.png", "id": 1, "annotator": 1}, {"data": {}, "annotations": [{"result": [], "id": 3}]}]
ENTRIES: list[Any] = [None, 3, {}, {"type": 3}, {"type": "brush", "value": 3}]
URLS: list[Any] = [None, 3, "", "data:image/png;base64,AAAA", "data:image/png;base64,#", "data:image/gif;base64,AAAA"]
GOOD = bent(lambda tasks: None)
SIZES: list[Any] = [6, "5", 0, -1, 1e400, 4.5]
ANGLES: list[Any] = ["1", [], math.nan, 1e400]
ADDRESSES: list[Any] = [None, 3, "", "x.png", "/etc/passwd", "\0", "http://[", "a" * 5000]
BAD = [
    *(bent(setting(*RESULT, 4, bitmask(url))) for url in URLS),
    *(bent(setting(0, value)) for value in TASKS),
    *(bent(setting(*RESULT, value)) for value in TASKS[:2]),
    *(bent(setting(*RESULT, 0, value)) for value in ENTRIES),
    *(bent(setting(*RESULT, 0, "value", "rle", value)) for value in RLES),
    *(bent(setting(*RESULT, 0, "value", "brushlabels", value)) for value in LABELS),
    *(bent(setting(*RESULT, 0, "original_width", value)) for value in SIZES),
    *(bent(setting(*RESULT, 1, "value", "x", value)) for value in NUMBERS),
    *(bent(setting(*RESULT, 1, "value", "width", value)) for value in (*NUMBERS, 0)),
    *(bent(setting(*RESULT, 1, "value", "rotation", value)) for value in ANGLES),
    *(bent(setting(*RESULT, 2, "value", "radiusX", value)) for value in (*NUMBERS, 0, -4)),
    *(bent(setting(*RESULT, 3, "value", "points", value)) for value in POINTS),
    *(bent(setting(0, "data", "image", value)) for value in ADDRESSES),
    b"",
    b"{}",
    b"null",
    b"[[]]",
    GOOD[: len(GOOD) // 2],
    GOOD.replace(b"36", b"\xe9"),
    b"[" * 100000,
    b"[" + b"9" * 5000 + b"]",
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_bad_files(tmp_path: Path, data: bytes) -> None:
    source = source_of(tmp_path / "in")
    file = source / "project.json"
    file.write_bytes(data)
    with pytest.raises((DatasetError, ImageError)) as caught:
        imported(file, tmp_path / "out")
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    assert "project.json" in message
    assert len(message) < 700
    assert not (tmp_path / "out").exists()


def test_the_file_that_is_bent_is_good(tmp_path: Path) -> None:
    source = source_of(tmp_path / "in")
    (source / "project.json").write_bytes(GOOD)
    (image,) = imported(source / "project.json", tmp_path / "out")
    assert [record.category for record in image.objects] == ["36", "36", "37", "38"]


def test_bad_regions_are_left_out_where_the_user_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    source = source_of(
        tmp_path / "in", task([box(0, 0, 0, 0, 0), brush(id="r2")]), 3, task([brush()], image="no.png")
    )
    (image,) = imported(source, tmp_path / "out", ImportOptions(numbering=Numbering.fdi, skip_bad=lines.append))
    np.testing.assert_array_equal(image.masks(), [MIXED])
    assert "task no. 1: it is not a JSON object; export the project again as JSON" in lines[0]
    assert "task 3, annotation 7, region 0 ('36'): it covers no pixel of the image; delete the region" in lines[1]
    assert "task 3, annotation 7 (2, 0): its image 'no.png' is not in" in lines[2]


def test_an_export_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = source_of(tmp_path / "in" / "export", task([brush()]))
    assert recognises(tmp_path / "in")
    (image,) = imported(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(image.masks(), [MIXED])
    (source / "second.json").write_text(json.dumps([task([brush()])]))
    with pytest.raises(DatasetError, match=r"several JSON exports .*second\.json\); name the JSON itself"):
        imported(source, tmp_path / "again")


def test_json_min_and_other_files_are_not_read(tmp_path: Path) -> None:
    assert not recognises(write(tmp_path / "coco"))
    assert not recognises(tmp_path / "coco")
    with pytest.raises(DatasetError, match="holds no JSON export; name the JSON itself"):
        imported(tmp_path / "coco", tmp_path / "1")
    source = source_of(tmp_path / "in", {"image": "a.png", "id": 1, "label": [], "annotation_id": 3})
    with pytest.raises(DatasetError, match="as in JSON-MIN; export the project as JSON"):
        imported(next(source.glob("*.json")), tmp_path / "2")


def test_images_of_a_worklist_are_not_opened(tmp_path: Path) -> None:
    source = source_of(tmp_path / "in", task([brush()]))
    known = SourceImage("case.7/a.png", Path("nowhere"), (HEIGHT, WIDTH))
    (record,) = read(source, SourceImages([known], "the worklist"), ReadOptions(tmp_path)).records
    loaded = record.load()
    assert (loaded.file_name, [item.category for item in loaded.objects]) == ("case.7/a.png", ["36"])
    other = SourceImage("b.png", Path("nowhere"), (HEIGHT, WIDTH))
    (record,) = read(source, SourceImages([other], "the worklist"), ReadOptions(tmp_path)).records
    with pytest.raises(ImageNotFound, match="a.png' is not in the worklist"):
        record.load()


def test_many_objects_keep_little_memory(tmp_path: Path) -> None:
    source = source_of(tmp_path / "in", *[{**task([brush()] * 300), "id": number} for number in range(30)])
    images = images_of(source, None)
    tracemalloc.start()
    contents = read(next(source.glob("*.json")), images, ReadOptions(tmp_path))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(contents.records) == 30
    assert held < 300_000
