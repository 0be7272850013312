"""CVAT for images 1.1: files as CVAT and datumaro write them, there and back, and what is refused."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.codecs.cvat_shapes import mask_attributes, shape_mask
from dentasam.data.formats.cvat import read, recognises
from dentasam.data.formats.importing.run import images_of
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.errors import DatasetError, ImageError
from dentasam.model.windows.boxed_mask import BoxedMask

from ..coco_files import content, write

MIXED = [[1, 1, 0, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
INNER = [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
RING = [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
# Written by cvat-sdk 2.80.
ORACLES = [
    (MIXED, {"rle": "0, 2, 2, 2, 2, 2, 2, 2, 5, 1", "left": "0", "top": "0", "width": "5", "height": "4"}),
    (INNER, {"rle": "0, 3, 1", "left": "2", "top": "1", "width": "2", "height": "2"}),
    (RING, {"rle": "0, 4, 1, 4", "left": "1", "top": "0", "width": "3", "height": "3"}),
    (np.ones((4, 5)), {"rle": "0, 20", "left": "0", "top": "0", "width": "5", "height": "4"}),
    (np.eye(4, 5) * [[1], [0], [0], [0]], {"rle": "0, 1", "left": "0", "top": "0", "width": "1", "height": "1"}),
]
META = """<meta><task><id>7</id><name>pano</name><size>2</size><mode>annotation</mode><labels>
<label><name>36</name><color>#fa3253</color><type>any</type><attributes><attribute><name>fdi</name>
<mutable>False</mutable></attribute></attributes></label></labels></task><dumped>2026-01-01</dumped></meta>"""
SHAPES = """
    <mask label="36" source="manual" occluded="0" rle="0, 3, 1" left="2" top="1" width="2" height="2" z_order="0">
    </mask>
    <mask label="37" source="file" occluded="0" rle="7, 2, 3, 1, 7" left="0" top="0" width="5" height="4"></mask>
    <polygon label="38" source="manual" occluded="0" points="1.00,1.00;3.00,1.00;3.00,3.00;1.00,3.00" z_order="0">
      <attribute name="fdi">38</attribute>
    </polygon>
    <box label="46" source="manual" occluded="1" xtl="1.00" ytl="1.00" xbr="4.00" ybr="2.00" z_order="2"></box>
    <box label="47" occluded="0" xtl="1.00" ytl="1.00" xbr="4.00" ybr="2.00" rotation="90.00" z_order="2"></box>
    <ellipse label="48" source="manual" occluded="0" cx="2.50" cy="2.00" rx="1.60" ry="0.60" z_order="0"></ellipse>
    <polyline label="canal" source="manual" occluded="0" points="0.00,0.00;3.00,3.00" z_order="0"></polyline>
    <points label="apex" source="manual" occluded="0" points="3.00,3.00" z_order="0"></points>
    <skeleton label="root" source="manual" z_order="0"><points label="1" points="1.00,1.00"></points></skeleton>
    <tag label="blurred" source="manual"></tag>
"""


def xml(shapes: str = SHAPES, name: str = "a b/zähne 1.png", size: str = 'width="5" height="4"') -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  {META}
  <image id="0" name="{name}" subset="default" task_id="7" {size}>{shapes}</image>
  <image id="1" name="empty.png" width="5" height="4">
  </image>
</annotations>
"""


def exported(folder: Path, text: str | bytes | None = None) -> Path:
    """A folder as CVAT's archive unpacks to, its images 5 x 4."""
    for name in ("a b/zähne 1.png", "empty.png", "other/empty.png"):
        (folder / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5, 4), 90).save(folder / "images" / name)
    text = xml() if text is None else text
    (folder / "annotations.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def masks(path: Path) -> dict[str, list[list[int]]]:
    image = Dataset.load(path).images[0]
    return {
        record.category: mask.astype(int).tolist() for record, mask in zip(image.objects, image.masks(), strict=True)
    }


@pytest.mark.parametrize(("rows", "attributes"), ORACLES)
def test_runs_are_those_of_cvat(rows: list[list[int]], attributes: dict[str, str]) -> None:
    mask = np.array(rows, bool)
    assert mask_attributes(BoxedMask(0, 0, mask)) == attributes
    np.testing.assert_array_equal(shape_mask("mask", attributes, 4, 5).on_image(4, 5), mask)


def test_a_file_of_cvat(tmp_path: Path) -> None:
    lines: list[str] = []
    source = exported(tmp_path / "in")
    assert choose(None, [source])[0] == "cvat"
    assert choose(None, [source / "annotations.xml"])[0] == "cvat"
    path = import_dataset("cvat", source, tmp_path / "out", ImportOptions(report=lines.append))
    first, second = Dataset.load(path).images
    assert (first.file_name, first.tags) == ("images/a b/zähne 1.png", ("blurred",))
    assert (second.file_name, second.objects) == ("images/empty.png", ())
    assert masks(path) == {
        "36": INNER,
        "37": [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
        "38": [[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]],
        "46": [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
        "47": [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
        "48": [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
    }
    passed = "shapes without an area passed over: 1 "
    assert lines[:4] == [
        *(f"{passed}{kind}; draw masks where they are needed" for kind in ("polyline", "points", "skeleton")),
        "attributes of labels passed over: 1 ('fdi'); objects keep their labels",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = xml().replace('encoding="utf-8"', f'encoding="{declared}"').encode(encoding)
    source = exported(tmp_path / "in", text)
    assert recognises(source)
    assert Dataset.load(import_dataset("cvat", source, tmp_path / "out")).images[0].tags == ("blurred",)


def test_images_of_a_worklist(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(xml(), encoding="utf-8")
    worklist = SourceImages([SourceImage("b/zähne 1.png", tmp_path / "none.png", (4, 5))], "the worklist")
    first, second = read(tmp_path / "annotations.xml", worklist, ReadOptions(tmp_path)).records
    loaded = first.load()
    assert (loaded.file_name, [record.category for record in loaded.objects][:2]) == ("b/zähne 1.png", ["36", "37"])
    with pytest.raises(ImageNotFound):
        second.load()


def test_an_ellipse_and_a_turned_box() -> None:
    turned = {"xtl": "20", "ytl": "28", "xbr": "60", "ybr": "32", "rotation": "30"}
    box = shape_mask("box", turned, 60, 80).on_image(60, 80)
    # Clockwise as seen: the right end lies lower.
    assert box[30 + 9, 40 + 16]
    assert not box[30 - 9, 40 + 16]
    assert abs(box.sum() - 160) < 10
    ellipse = {"cx": "40", "cy": "30", "rx": "20", "ry": "5", "rotation": "30"}
    oval = shape_mask("ellipse", ellipse, 60, 80).on_image(60, 80)
    assert oval[30 + 9, 40 + 16]
    assert not oval[30 - 9, 40 + 16]
    assert abs(oval.sum() - np.pi * 100) < 5


def test_out_and_in_again(tmp_path: Path) -> None:
    coco = content()
    coco["categories"][2]["name"] = "root <&\"'\n canal>"
    coco["images"][0]["tags"] = ["11", "un<clear"]
    before = Dataset.load(write(tmp_path / "source", coco))
    assert export_dataset("cvat", before, tmp_path / "out") == ()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["annotations.xml", "images"]
    after = Dataset.load(import_dataset("cvat", tmp_path / "out", tmp_path / "back"))
    for old, new in zip(before.images, after.images, strict=True):
        assert (new.file_name, new.tags) == (old.file_name, old.tags)
        assert new.path.read_bytes() == old.path.read_bytes()
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), fill=st.nothing()))
def test_every_mask_comes_back(mask: np.ndarray) -> None:
    height, width = mask.shape
    if mask.any():
        written = mask_attributes(BoxedMask(0, 0, mask))
        np.testing.assert_array_equal(shape_mask("mask", written, height, width).on_image(height, width), mask)


@pytest.mark.parametrize(("names", "marked"), [(["36", "crown"], True), (["3", "19"], False), (["crown"], False)])
def test_only_fdi_is_marked_as_fdi(tmp_path: Path, names: list[str], marked: bool) -> None:
    objects = tuple(ObjectRecord.from_mask(1, name, np.ones((4, 5), bool)) for name in names)
    files: dict[str, bytes] = {}
    image = ImageRecord(1, tmp_path / "a.png", "a.png", 5, 4, objects=objects)
    write_annotations("cvat", Dataset(tmp_path, (image,)), files.__setitem__)
    assert (b"<numbering>fdi</numbering>" in files["annotations.xml"]) == marked


def test_a_name_that_xml_cannot_hold(tmp_path: Path) -> None:
    record = ObjectRecord.from_mask(1, "bell\a", np.ones((4, 5), bool))
    image = ImageRecord(1, tmp_path / "a.png", "a.png", 5, 4, objects=(record,))
    with pytest.raises(DatasetError, match=r"XML cannot hold the name 'bell\\x07'; rename it"):
        write_annotations("cvat", Dataset(tmp_path, (image,)), lambda name, content: None)


def shape(kind: str, **attributes: str) -> str:
    given = {"label": "36", **attributes}
    return f"<{kind} {' '.join(f'{name}={quoteattr(value)}' for name, value in given.items())}/>"


def runs(value: str = "0, 3, 1", **other: str) -> str:
    return shape("mask", **{"rle": value, "left": "2", "top": "1", "width": "2", "height": "2", **other})


BAD_SHAPES = {
    "no rle": shape("mask", left="2", top="1", width="2", height="2"),
    "rle of words": runs("0, three, 1"),
    "rle too short": runs("0, 3"),
    "rle too long": runs("0, 3, 1, 4"),
    "rle negative": runs("-1, 4, 1"),
    "rle huge": runs("0, " + "9" * 5000),
    "rle beyond 64 bits": runs("0, " + "9" * 40),
    "rle with an underscore": runs("0, 3, 0_1"),
    "rle in another script": runs("0, ٣, 1"),
    "box with an underscore": runs(width="0_2"),
    "box in another script": runs(width="٢"),
    "points with an underscore": shape("polygon", points="1,1;3_0,1;3,3"),
    "points in another script": shape("polygon", points="1,1;٣,1;3,3"),
    "box outside": runs(left="4"),
    "box negative": runs(left="-1"),
    "box of fractions": runs(left="1.5"),
    "box not a number": runs(left="NaN"),
    "box huge": runs(width="1e400"),
    "empty mask": runs("4"),
    "two points": shape("polygon", points="1,1;2,2"),
    "no points": shape("polygon"),
    "one number": shape("polygon", points="1,1;2;3,3"),
    "words": shape("polygon", points="a,b;c,d;e,f"),
    "NaN": shape("polygon", points="1,1;nan,2;3,3"),
    "infinite": shape("polygon", points="1,1;1e400,2;3,3"),
    "far outside": shape("polygon", points="1,1;1e9,2;3,3"),
    "no pixel": shape("polygon", points="1,1;1,1;1,1"),
    "beside the image": shape("box", xtl="6", ytl="1", xbr="8", ybr="3"),
    "box beyond sums": shape("box", xtl="1e308", ytl="1", xbr="1.7e308", ybr="3", rotation="30"),
    "ellipse beyond squares": shape("ellipse", cx="2", cy="2", rx="1e200", ry="1"),
    "flat box": shape("box", xtl="1", ytl="1", xbr="1", ybr="3"),
    "box without a side": shape("box", xtl="1", ytl="1", xbr="3"),
    "turned by infinity": shape("box", xtl="1", ytl="1", xbr="3", ybr="3", rotation="inf"),
    "flat ellipse": shape("ellipse", cx="2", cy="2", rx="0", ry="1"),
    "ellipse far outside": shape("ellipse", cx="2", cy="2", rx="1e30", ry="1"),
    "no label": runs(label=""),
    "tag without label": "<tag/>",
}


@pytest.mark.parametrize("bad", BAD_SHAPES.values(), ids=BAD_SHAPES.keys())
def test_a_bad_shape_is_named_or_left_out(tmp_path: Path, bad: str) -> None:
    source = exported(tmp_path / "in", xml(runs() + bad))
    with pytest.raises(
        DatasetError, match=r"annotations\.xml, image 1 \('a b/zähne 1\.png'\): annotation 2 .*; draw"
    ):
        import_dataset("cvat", source, tmp_path / "out")
    left_out: list[str] = []
    path = import_dataset("cvat", source, tmp_path / "out", ImportOptions(skip_bad=left_out.append))
    assert masks(path) == {"36": INNER}
    assert len(left_out) == 1


BENT: dict[str, Callable[[str], str | bytes]] = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "not XML": lambda text: "{}",
    "another root": lambda text: text.replace("annotations>", "annotation>"),
    "wrong encoding": lambda text: text.encode("latin-1"),
    "unknown encoding": lambda text: text.replace("utf-8", "klingon"),
    "entities": lambda text: text.replace("<annotations>", '<!DOCTYPE a [<!ENTITY b "c">]><annotations>'),
    "video": lambda text: text.replace("<image", "<track").replace("</image", "</track"),
    "no name": lambda text: text.replace('name="a b/zähne 1.png"', ""),
    "another name": lambda text: text.replace("a b/zähne", "../../etc/b"),
    "another size": lambda text: text.replace('width="5" height="4"', 'width="6" height="4"'),
    "no height": lambda text: text.replace('height="4">', ">"),
    "size of words": lambda text: text.replace('width="5" height="4"', 'width="wide" height="4"'),
    "size that is huge": lambda text: text.replace('width="5"', f'width="{"9" * 5000}"'),
    "no image": lambda text: text.split("<image")[0] + "</annotations>",
    "nothing but bytes": lambda text: bytes(range(256)),
    "deep": lambda text: "<annotations>" + "<image>" * 100_000,
}


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
def test_bent_files(tmp_path: Path, bend: Callable[[str], str | bytes]) -> None:
    source = exported(tmp_path / "in", bend(xml(runs())))
    with pytest.raises((DatasetError, ImageError), match=r"^(?s:.*(annotations\.xml|in holds).*; .*)$") as caught:
        import_dataset("cvat", source, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_number_that_is_cut_is_marked_as_cut(tmp_path: Path) -> None:
    source = exported(tmp_path / "in", xml(runs(), size='width="6000000000000" height="4"'))
    with pytest.raises(DatasetError, match="its size of 600000000… pixels is not that of an image; "):
        import_dataset("cvat", source, tmp_path / "out")


def test_video_is_refused_with_the_fix(tmp_path: Path) -> None:
    source = exported(tmp_path / "in", '<annotations><version>1.1</version><track id="0" label="36"></track>')
    with pytest.raises(DatasetError, match="CVAT for video, which lists tracks; export it from CVAT again as 'CVAT"):
        import_dataset("cvat", source, tmp_path / "out")


def test_an_image_that_cvat_turned(tmp_path: Path) -> None:
    source = exported(tmp_path / "in", xml(runs(), size='width="4" height="5"'))
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (5, 4), 90).save(source / "images" / "a b" / "zähne 1.png", exif=exif)
    with pytest.raises(DatasetError, match="orientation tag 6, and its objects were drawn on the turned.*; save"):
        import_dataset("cvat", source, tmp_path / "out")


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("size", ['width="5" height="5"', ""])
def test_a_turn_that_the_size_does_not_show(tmp_path: Path, orientation: int, size: str) -> None:
    source = exported(tmp_path / "in", xml(runs(), size=size))
    exif = Image.Exif()
    exif[274] = orientation
    path = source / "images" / "a b" / "zähne 1.png"
    Image.new("L", (5, 5), 90).save(path, exif=exif)
    with pytest.raises(
        DatasetError, match=f"orientation tag {orientation}, and its objects were drawn on the turned"
    ):
        import_dataset("cvat", source, tmp_path / "out")
    worklist = SourceImages([SourceImage("a b/zähne 1.png", path, (5, 5))], "the worklist", partial=True)
    (record, *_) = read(source, worklist, ReadOptions(tmp_path)).records
    with pytest.raises(
        DatasetError, match=f"orientation tag {orientation}, and its objects were drawn on the turned"
    ):
        record.load()


def test_many_objects_keep_little_memory(tmp_path: Path) -> None:
    source = exported(tmp_path / "in")
    one = runs() * 1000
    with (source / "annotations.xml").open("w") as file:
        file.write("<annotations><version>1.1</version>")
        for _ in range(20):
            file.write(f'<image name="empty.png" width="5" height="4">{one}</image>')
        file.write("</annotations>")
    tracemalloc.start()
    contents = read(source, images_of(source, None), ReadOptions(tmp_path))
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(contents.records) == 20
    # One image of 1000 shapes takes 1 MB as elements.
    assert kept < 2_000_000
    assert most < 8_000_000


@pytest.mark.parametrize("width", ["٥", "0_5", "５"])
def test_a_size_is_in_digits_of_ascii(tmp_path: Path, width: str) -> None:
    source = exported(tmp_path / "in", xml(runs(), size=f'width="{width}" height="4"'))
    with pytest.raises(DatasetError, match="its width and height are not whole numbers"):
        import_dataset("cvat", source, tmp_path / "out")
