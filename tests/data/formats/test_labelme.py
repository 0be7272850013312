"""LabelMe and X-AnyLabeling: files as each version writes them, masks there and back, and bad files."""

from __future__ import annotations

import base64
import copy
import json
import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.labelme import read, recognises
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ImageError

from ..coco_files import block, compressed, content, write

# Written by LabelMe 6.3.1: the mask "inner" on 4 rows of 5 pixels.
INNER_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNkZGBgZAAAABMABFV4+xUAAAAASUVORK5CYII="
INNER = [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
SQUARE = [[10.0, 5.0], [13.0, 5.0], [13.0, 8.0], [10.0, 8.0]]
WIDTH, HEIGHT = 30, 20
ANY = ImportOptions(numbering=Numbering.fdi)


def shape(label: str = "36", points: Any = SQUARE, kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def labelme(*shapes: Any, **more: Any) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **more,
    }


def folder_of(folder: Path, *files: dict[str, Any], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    folder.mkdir(exist_ok=True)
    for name, file in zip("abcdef", files, strict=False):
        Image.new("L", size, 90).save(folder / f"{name}.png")
        (folder / f"{name}.json").write_text(json.dumps(file))
    return folder


def imported(source: Path, out: Path, options: ImportOptions = ANY) -> list[ImageRecord]:
    return list(Dataset.load(import_dataset("labelme", source, out, options)).images)


def masks_of(tmp_path: Path, *shapes: Any) -> np.ndarray:
    (image,) = imported(folder_of(tmp_path / "in", labelme(*shapes)), tmp_path / "out")
    return image.masks()


def test_a_mask_as_labelme_writes_it(tmp_path: Path) -> None:
    mask = shape(points=[[2, 1], [3, 2]], kind="mask", mask=INNER_PNG)
    source = folder_of(tmp_path / "in", labelme(mask, imageHeight=4, imageWidth=5), size=(5, 4))
    (image,) = imported(source, tmp_path / "out")
    np.testing.assert_array_equal(image.masks(), [INNER])


def test_areas_are_those_of_pillow(tmp_path: Path) -> None:
    masks = masks_of(
        tmp_path,
        shape(),
        shape("37", [[2.9, 3.2], [6.9, 9.9]], "rectangle"),
        shape("38", [[20.5, 10.2], [24.1, 12.8]], "circle"),
        shape("41", [[1, 1], [8, 2], [7, 9], [0, 8]], "rotation", direction=0.14),
        shape("42", [[-3, 15], [3, 15], [3, 40], [-3, 40]], "rectangle"),
        shape("43", [[28, 2], [35, 2]], "circle"),
    )
    radius = math.hypot(3.6, 2.6)
    drawn = []
    for draw in (
        lambda on: on.polygon([tuple(point) for point in SQUARE], fill=1, outline=1),
        lambda on: on.rectangle([2, 3, 6, 9], fill=1, outline=1),
        lambda on: on.ellipse([20.5 - radius, 10.2 - radius, 20.5 + radius, 10.2 + radius], fill=1, outline=1),
        lambda on: on.polygon([(1, 1), (8, 2), (7, 9), (0, 8)], fill=1, outline=1),
        lambda on: on.polygon([(-3, 15), (3, 15), (3, 40), (-3, 40)], fill=1, outline=1),
        lambda on: on.ellipse([21, -5, 35, 9], fill=1, outline=1),
    ):
        image = Image.new("L", (WIDTH, HEIGHT))
        draw(ImageDraw.Draw(image))
        drawn.append(np.asarray(image) > 0)
    np.testing.assert_array_equal(masks, drawn)


def test_a_mask_may_lie_partly_outside(tmp_path: Path) -> None:
    coded = BytesIO()
    Image.new("L", (6, 4), 255).save(coded, "PNG")
    text = base64.b64encode(coded.getvalue()).decode()
    (mask,) = masks_of(tmp_path, shape(points=[[27, -2], [32, 1]], kind="mask", mask=text))
    assert mask.sum() == 6
    assert mask[:2, 27:].all()


def test_version_3_has_no_shape_types_and_no_size(tmp_path: Path) -> None:
    old: dict[str, Any] = {
        "version": "3.5.0",
        "flags": {},
        "shapes": [{"label": "36", "line_color": None, "fill_color": None, "points": SQUARE}],
        "lineColor": [0, 255, 0, 128],
        "fillColor": [255, 0, 0, 128],
        "imagePath": "..\\scans\\a.png",
        "imageData": "ignored since the image is there",
    }
    (image,) = imported(folder_of(tmp_path / "in", old), tmp_path / "out")
    assert (image.height, image.width, image.objects[0].category) == (HEIGHT, WIDTH, "36")
    old["imageHeight"] = old["imageWidth"] = None
    (image,) = imported(folder_of(tmp_path / "in", old), tmp_path / "again")
    assert image.masks().sum() == 16


def test_x_anylabeling(tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "score": None,
        "difficult": True,
        "attributes": {"side": "left"},
        "kie_linking": [],
        "description": "a",
    }
    file = labelme(shape(**more), version="2.4.4", checked=True)
    path = import_dataset("labelme", folder_of(tmp_path / "in", file), tmp_path / "out", ANY)
    (annotation,) = json.loads(path.read_text())["annotations"]
    assert (annotation["difficult"], annotation["attributes"]) == (True, {"side": "left"})
    assert annotation["description"] == "a"


def test_only_the_same_label_and_group_are_one_object(tmp_path: Path) -> None:
    other = [[20, 5], [22, 5], [22, 7], [20, 7]]
    file = labelme(
        shape("36", group_id=1), shape("36", other, group_id=1), shape("37", group_id=1), shape("36"), shape("36")
    )
    (image,) = imported(folder_of(tmp_path / "in", file), tmp_path / "out")
    assert [record.category for record in image.objects] == ["36", "37", "36", "36"]
    assert image.objects[0].area == 16 + 9


def test_lines_and_points_are_counted(tmp_path: Path) -> None:
    lines: list[str] = []
    first = labelme(shape(), shape(points=[[1, 1]], kind="point"), shape(points=[[1, 1], [2, 2]], kind="line"))
    second = labelme(shape(points=[[1, 1]], kind="point"), shape(kind="cuboid"), imagePath="b.png")
    source = folder_of(tmp_path / "in", first, second)
    (source / "settings.json").write_text('{"theme": "dark"}')
    images = imported(source, tmp_path / "out", ImportOptions(numbering=Numbering.fdi, report=lines.append))
    assert [len(image.objects) for image in images] == [1, 0]
    assert lines == [
        "settings.json left out: no list of shapes as LabelMe writes it",
        "shapes of the type point left out, since they have no area: 2",
        "shapes of the type line left out, since they have no area: 1",
        "shapes of the type 'cuboid' left out, which is not known: 1",
    ]


def test_a_missing_image_is_taken_from_the_file(tmp_path: Path) -> None:
    coded = BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH), 77, np.uint8)).save(coded, "PNG")
    data = base64.b64encode(coded.getvalue()).decode()
    source = folder_of(tmp_path / "in", labelme(shape(), imagePath="C:\\scans\\x.bmp", imageData=data))
    (image,) = imported(source, tmp_path / "out")
    assert image.file_name == "images/x.png"
    assert image.path.read_bytes() == coded.getvalue()
    for bad in ("#", base64.b64encode(b"GIF89a").decode(), 3):
        folder_of(tmp_path / "in", labelme(shape(), imagePath="x.bmp", imageData=bad))
        with pytest.raises(DatasetError, match=r"a\.json: its image is missing, and .*; put the image beside it"):
            imported(source, tmp_path / "none")


@pytest.mark.parametrize("orientation", [3, 6])
def test_an_image_that_labelme_turned_is_refused(tmp_path: Path, orientation: int) -> None:
    turned = (HEIGHT, WIDTH) if orientation == 6 else (WIDTH, HEIGHT)
    file = labelme(shape(), imageWidth=turned[0], imageHeight=turned[1], imagePath="a.jpg")
    source = folder_of(tmp_path / "in", file)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (WIDTH, HEIGHT)).save(source / "a.jpg", exif=exif)
    with pytest.raises(DatasetError, match=rf"has the orientation tag {orientation}, and .* turned picture; save"):
        imported(source, tmp_path / "out")


def test_flags_are_tags_and_come_back(tmp_path: Path) -> None:
    before = Dataset.load(write(tmp_path / "source"))
    assert export_dataset("labelme", before, tmp_path / "out") == ()
    written = json.loads((tmp_path / "out" / "images" / "a.json").read_text())
    assert written["flags"] == {"blurred": True}
    assert (written["imagePath"], written["imageData"], written["imageHeight"]) == ("a.png", None, 40)
    assert [item["shape_type"] for item in written["shapes"]] == ["polygon", "polygon", "polygon"]
    assert recognises(tmp_path / "out")
    assert choose(None, [tmp_path / "out"])[0] == "labelme"
    after = Dataset.load(import_dataset("labelme", tmp_path / "out", tmp_path / "back"))
    for old, new in zip(before.images, after.images, strict=True):
        assert (new.file_name, new.tags) == (old.file_name, old.tags)
        assert new.path.read_bytes() == old.path.read_bytes()
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


def test_a_file_says_how_its_teeth_are_numbered(tmp_path: Path) -> None:
    coco = content()
    coco["categories"][0]["name"] = "18"
    coco["annotations"] = coco["annotations"][2:]
    before = Dataset.load(write(tmp_path / "source", coco))
    for numbering, name in ((Numbering.universal, "universal"), (Numbering.fdi, "fdi")):
        export_dataset("labelme", before, tmp_path / name, numbering)
        written = json.loads((tmp_path / name / "images" / "a.json").read_text())
        assert written["numbering"] == name
        back = Dataset.load(import_dataset("labelme", tmp_path / name, tmp_path / f"{name} back"))
        assert [record.category for record in back.images[0].objects] == ["18"]
    coco["annotations"].append(
        {"id": 9, "image_id": 1, "category_id": 36, "segmentation": compressed(block(1, 1, 3, 3))}
    )
    export_dataset("labelme", Dataset.load(write(tmp_path / "source", coco)), tmp_path / "clear")
    written = json.loads((tmp_path / "clear" / "images" / "a.json").read_text())
    assert written["numbering"] == "fdi"
    # LabelMe keeps keys that it does not know, behind its own.
    written["numbering"] = written.pop("numbering")
    (tmp_path / "clear" / "images" / "a.json").write_text(json.dumps(written))
    (tmp_path / "clear" / "images" / "deep" / "b.json").unlink()
    (image,) = Dataset.load(import_dataset("labelme", tmp_path / "clear", tmp_path / "back")).images
    assert [record.category for record in image.objects] == ["18", "36"]


def test_images_of_one_stem_get_a_file_each(tmp_path: Path) -> None:
    coco = content()
    coco["images"][1]["file_name"] = "images/a.tif"
    source = write(tmp_path / "source", coco)
    Image.new("L", (60, 40), 5).save(tmp_path / "source" / "images" / "a.tif")
    export_dataset("labelme", Dataset.load(source), tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert names == ["2-a.json", "2-a.tif", "a.json", "a.png"]


masks = st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).random((11, 13)) < 0.4)


@settings(max_examples=30)
@given(masks, st.sampled_from([0, 3]))
def test_masks_come_back(tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, grown: int) -> None:
    tmp_path = tmp_path_factory.mktemp("masks")
    mask = np.kron(mask, np.ones((grown or 1, grown or 1), bool))
    mask[0, 0] = True
    Image.new("L", mask.shape[::-1]).save(tmp_path / "a.png")
    record = ObjectRecord.from_mask(1, "Füllung/ 1", mask)
    image = ImageRecord(1, tmp_path / "a.png", "a.png", mask.shape[1], mask.shape[0], objects=(record,))
    files: dict[str, bytes] = {}
    write_annotations("labelme", Dataset(tmp_path, (image,)), files.__setitem__)
    (tmp_path / "a.json").write_bytes(files["images/a.json"])
    (back,) = imported(tmp_path, tmp_path / "out")
    assert back.objects[0].category == "Füllung/ 1"
    np.testing.assert_array_equal(back.masks(), [mask])


def bent(change: Callable[[dict[str, Any]], None]) -> bytes:
    file = labelme(shape(), shape("37", [[2, 1], [3, 2]], "mask", mask=INNER_PNG))
    change(file)
    return json.dumps(file).encode()


def setting(*path: Any) -> Callable[[dict[str, Any]], None]:
    *keys, last, value = path

    def change(file: dict[str, Any]) -> None:
        place: Any = file
        for key in keys:
            place = place[key]
        place[last] = value

    return change


GOOD = bent(lambda file: None)
BAD_VALUES: list[Any] = [None, True, "x", [], {}, [[1, 2]], [[1, 2], [3, 4]], [[1], [2], [3]], [[math.nan, 1]] * 3]
BAD_VALUES += [
    [[1e400, 1]] * 3,
    [[10**400, 1]] * 3,
    [[1e6, 1], [2, 2], [3, 3]],
    [[-9, -9], [-8, -9], [-9, -8]],
    ["12"] * 3,
]
NO_GROUPS: list[Any] = [[1], {}, 1.5, True]
NO_KINDS: list[Any] = [[1], 5, {"a": 1}]
NO_LISTS: list[Any] = [None, {}, "x", 3]
NO_SHAPES: list[Any] = [None, 3, "x", []]
NO_LABELS: list[Any] = [None, 3, "", []]
NO_MASKS: list[Any] = [None, 3, "a", INNER_PNG[:-9], "AAAA", []]
NO_SIZES: list[Any] = [21, -1, 0, "20", 1e400, 20.5, [20], True]
BAD = [
    *(bent(setting("shapes", 0, "points", value)) for value in BAD_VALUES),
    *(bent(setting("shapes", 1, "points", value)) for value in BAD_VALUES if value != [[1, 2], [3, 4]]),
    *(bent(setting("shapes", 1, "mask", value)) for value in NO_MASKS),
    *(bent(setting("shapes", 0, "label", value)) for value in NO_LABELS),
    *(bent(setting("shapes", 0, value)) for value in NO_SHAPES),
    *(bent(setting("shapes", 0, "group_id", value)) for value in NO_GROUPS),
    *(bent(setting("shapes", 0, "shape_type", value)) for value in NO_KINDS),
    *(bent(setting("shapes", value)) for value in NO_LISTS),
    *(bent(setting("imageHeight", value)) for value in NO_SIZES),
    *(bent(setting("imagePath", value)) for value in ("", "b.png", "../../etc/passwd", "\0", "a" * 5000, "x.png")),
    b"",
    b" ",
    b"[]",
    b"null",
    GOOD[: len(GOOD) // 2],
    GOOD.replace(b"36", b"\xe9"),
    b"[" * 100000,
    b'{"shapes": ' + b"[" * 100000,
    b'{"shapes": [' + b"9" * 5000 + b"]}",
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_bad_files(tmp_path: Path, data: bytes) -> None:
    source = folder_of(tmp_path / "in", labelme())
    if b'"imagePath": ""' in data:
        (source / "a.png").rename(source / "other.png")
    (source / "a.json").write_bytes(data)
    with pytest.raises((DatasetError, ImageError)) as caught:
        imported(source / "a.json", tmp_path / "out")
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    assert "a.json" in message
    assert len(message) < 700
    assert not (tmp_path / "out").exists()


def test_the_file_that_is_bent_is_good(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", labelme())
    (source / "a.json").write_bytes(GOOD)
    (image,) = imported(source, tmp_path / "out")
    assert [record.category for record in image.objects] == ["36", "37"]


def test_bad_shapes_are_left_out_where_the_user_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    file = labelme(shape(), shape("37", [[1, 1], [2, 2]]), shape("38"))
    missing = labelme(shape(), imagePath="nowhere.png")
    source = folder_of(tmp_path / "in", file, missing)
    (image,) = imported(source, tmp_path / "out", ImportOptions(numbering=Numbering.fdi, skip_bad=lines.append))
    assert [record.category for record in image.objects] == ["36", "38"]
    assert lines[0].endswith(
        "a.json: shape 1 ('37'): a polygon has fewer than 3 points; delete the shape or draw it again"
    )
    assert "'nowhere.png' is not in" in lines[1]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    source = folder_of(tmp_path / "in", labelme(shape("Füllung")))
    text = json.dumps(labelme(shape("Füllung")), ensure_ascii=False)
    (source / "a.json").write_text(text, encoding=encoding)
    (image,) = imported(source, tmp_path / "out")
    assert image.objects[0].category == "Füllung"


def test_other_sources_are_not_labelme(tmp_path: Path) -> None:
    assert not recognises(write(tmp_path / "coco"))
    assert not recognises(tmp_path / "coco")
    assert not recognises(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"holds no JSON of LabelMe; name the folder"):
        import_dataset("labelme", tmp_path / "coco", tmp_path / "out")


def test_images_elsewhere_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for index, folder in enumerate(("upper", "lower")):
        (tmp_path / "scans" / folder).mkdir(parents=True)
        (tmp_path / "in" / "images" / folder).mkdir(parents=True)
        Image.new("L", (WIDTH, HEIGHT), index).save(tmp_path / "scans" / folder / "a.png")
        (tmp_path / "in" / "images" / folder / "a.json").write_text(json.dumps(labelme(shape(folder))))
    options = ImportOptions(images=tmp_path / "scans", numbering=Numbering.fdi)
    images = imported(tmp_path / "in", tmp_path / "out", options)
    assert [(image.objects[0].category, image.file_name) for image in images] == [
        ("lower", "images/lower/a.png"),
        ("upper", "images/upper/a.png"),
    ]
    (tmp_path / "in" / "images" / "upper" / "a.json").write_text(
        json.dumps(labelme(shape(), imagePath="b.png", imageData="AAAA"))
    )
    with pytest.raises(DatasetError, match=r"a\.json: its image 'images/upper/b\.png' is not in"):
        imported(tmp_path / "in", tmp_path / "again", options)


def test_dicom_images_are_named_in_the_notes() -> None:
    record = ObjectRecord.from_mask(1, "36", np.array(INNER, bool))
    image = ImageRecord(1, Path("a.dcm"), "a.dcm", 5, 4, objects=(record,), crowds=(record,))
    for name, tool in (("labelme", "LabelMe"), ("label-studio", "Label Studio")):
        notes = write_annotations(name, Dataset(Path(), (image,)), lambda name, content: None)
        assert notes[0].startswith("1 region of many objects")
        assert notes[1] == f"1 image in DICOM, which {tool} does not open"


def test_one_file_is_a_source(tmp_path: Path) -> None:
    file = copy.deepcopy(labelme(shape()))
    source = folder_of(tmp_path / "in", file, labelme(shape()))
    (image,) = imported(source / "a.json", tmp_path / "out")
    assert image.file_name == "images/a.png"


def test_images_of_a_worklist_are_not_opened(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", labelme(shape()))
    known = SourceImage("case.7/a.png", Path("nowhere"), (HEIGHT, WIDTH))
    (record,) = read(source, SourceImages([known], "the worklist"), ReadOptions(tmp_path)).records
    loaded = record.load()
    assert (loaded.file_name, [item.category for item in loaded.objects]) == ("case.7/a.png", ["36"])
    other = SourceImage("b.png", Path("nowhere"), (HEIGHT, WIDTH))
    (record,) = read(source, SourceImages([other], "the worklist"), ReadOptions(tmp_path)).records
    with pytest.raises(ImageNotFound, match="a.png' is not in the worklist"):
        record.load()


def test_a_suffix_in_capitals(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", labelme(shape()), labelme(shape(), imagePath="b.png"))
    (source / "b.json").rename(source / "b.JSON")
    assert [image.file_name for image in imported(source, tmp_path / "out")] == ["images/a.png", "images/b.png"]


def test_files_without_the_mark_are_not_numbered_by_those_with_it(tmp_path: Path) -> None:
    marked = labelme(shape(), numbering="fdi")
    nothing = labelme(imagePath="b.png")
    images = SourceImages([], "nowhere")
    source = folder_of(tmp_path / "in", marked, nothing)
    assert read(source, images, ReadOptions(tmp_path)).numbering is Numbering.fdi
    folder_of(tmp_path / "in", marked, labelme(shape("14"), imagePath="b.png"))
    assert read(source, images, ReadOptions(tmp_path)).numbering is None
