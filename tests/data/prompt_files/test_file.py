"""Prompt files: what is read, and that a malformed one is reported with its file and entry."""

import json
import unicodedata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from dentasam.data.prompt_files.file import read_boxes, read_prompts
from dentasam.data.prompt_files.prompts import ObjectPrompt, parse_box
from dentasam.errors import PromptError

YAML = """
opg.png:
  - category: 36
    clicks: [[812, 402.5, 1], [840, 455, 0]]
  - box: [120, 200, 190, 330]
left/other.png:
  - clicks: [[5, 6, 1]]
    box: [1, 2, 9, 9]
"""


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    as_yaml = tmp_path / "prompts.yaml"
    as_yaml.write_text(YAML)
    as_json = tmp_path / "prompts.json"
    as_json.write_text(
        json.dumps(
            {
                "opg.png": [
                    {"category": "36", "clicks": [[812, 402.5, 1], [840, 455, 0]]},
                    {"box": [120, 200, 190, 330]},
                ],
                "left/other.png": [{"clicks": [[5, 6, 1]], "box": [1, 2, 9, 9]}],
            }
        )
    )
    expected = (
        ObjectPrompt("36", ((812.0, 402.5, 1), (840.0, 455.0, 0)), None),
        ObjectPrompt("object", (), (120.0, 200.0, 190.0, 330.0)),
    )
    for path in (as_yaml, as_json):
        prompts = read_prompts(path)
        assert prompts.of(Path("/data/opg.png")) == expected
        assert prompts.of(Path("left/other.png")) == (ObjectPrompt("object", ((5, 6, 1),), (1, 2, 9, 9)),)


def test_an_object_may_have_200_clicks(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(f"a.png: [{{clicks: [{'[1, 1, 1], ' * 200}]}}]")
    assert len(read_prompts(path).of(Path("a.png"))[0].clicks) == 200


def test_the_longer_name_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text("a.png: [{clicks: [[1, 1, 1]]}]\nleft/a.png: [{clicks: [[2, 2, 1]]}]\n")
    prompts = read_prompts(path)
    assert prompts.of(Path("set/left/a.png"))[0].clicks == ((2, 2, 1),)
    assert prompts.of(Path("set/right/a.png"))[0].clicks == ((1, 1, 1),)
    assert prompts.of(Path("a.png"))[0].clicks == ((1, 1, 1),)
    with pytest.raises(PromptError, match=r"prompts\.yaml has no entry for ba\.png"):
        prompts.of(Path("ba.png"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must map image names"),
        ("[1, 2]", "must map image names"),
        ("a.png: [", "line 1 is not valid YAML"),
        ("a.png: {}", "a.png: must be a list"),
        ("a.png: []", "a.png: must be a list"),
        ("a.png: [7]", "a.png, object 1: must have clicks or a box"),
        ("a.png: [{clicks: [[1, 1, 1]]}, {}]", "a.png, object 2: needs clicks or a box"),
        ("a.png: [{click: [[1, 1, 1]]}]", "object 1: unknown key 'click'"),
        ("a.png: [{clicks: 3}]", "object 1: clicks must be a list"),
        (f"a.png: [{{clicks: [{'[1, 1, 1], ' * 201}]}}]", "object 1: 201 clicks are more than 200; keep"),
        ("a.png: [{clicks: [[1, 1]]}]", "object 1, click 1: must be"),
        ("a.png: [{clicks: [[1, 1, 1], [1, .nan, 1]]}]", "object 1, click 2: must be"),
        ("a.png: [{clicks: [[1, 1, 2]]}]", "object 1, click 1: its third number"),
        ("a.png: [{clicks: [[1, true, 1]]}]", "object 1, click 1: must be"),
        ("a.png: [{clicks: [[1, 1, 0]]}]", "object 1: negative clicks alone"),
        ("a.png: [{box: [1, 2, 3]}]", "object 1: a box is"),
        ("a.png: [{box: [5, 2, 3, 9]}]", "object 1: box .* is empty"),
        ("a.png: [{box: [1, 2, .inf, 9]}]", "object 1: a box is"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_malformed_prompts(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(text)
    with pytest.raises(PromptError, match=message) as error:
        read_prompts(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_broken_json_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    with pytest.raises(PromptError, match=r"prompts\.json does not exist"):
        read_prompts(path)
    path.write_text('{"a.png": [\n}')
    with pytest.raises(PromptError, match=r"prompts\.json, line 2 is not valid JSON"):
        read_prompts(path)
    path.write_bytes(b"\xff\x00\x81")
    with pytest.raises(PromptError, match="cannot be read as text"):
        read_prompts(path)


def test_boxes_short_form_and_coco(tmp_path: Path) -> None:
    short = tmp_path / "boxes.yaml"
    short.write_text("a.png: [[1, 2, 11, 22], [3, 4, 5, 6]]\n")
    assert [prompt.box for prompt in read_boxes(short).of(Path("a.png"))] == [(1, 2, 11, 22), (3, 4, 5, 6)]

    coco = tmp_path / "boxes.json"
    content = {
        "images": [{"id": 4, "file_name": "images/a.png"}],
        "categories": [{"id": 9, "name": "36"}],
        "annotations": [{"id": 1, "image_id": 4, "category_id": 9, "bbox": [1, 2, 10, 20]}],
    }
    coco.write_text(json.dumps(content))
    assert read_boxes(coco).of(Path("x/images/a.png")) == (ObjectPrompt("36", (), (1, 2, 11, 22)),)

    content["annotations"] = [{"id": 8, "image_id": 4, "bbox": [1, 2, 0, 20]}]
    coco.write_text(json.dumps(content))
    with pytest.raises(PromptError, match="annotation 8: box .* is empty"):
        read_boxes(coco)
    content["annotations"] = [{"id": 8, "image_id": 5, "bbox": [1, 2, 3, 20]}]
    coco.write_text(json.dumps(content))
    with pytest.raises(PromptError, match="not a COCO file of boxes"):
        read_boxes(coco)
    # One option or the other: the form of the file says what it is.
    content["annotations"] = [{"id": 1, "image_id": 4, "category_id": 9, "bbox": [1, 2, 10, 20], "iscrowd": 0}]
    coco.write_text(json.dumps(content))
    assert read_prompts(coco).images == read_boxes(coco).images
    assert read_prompts(short).images == read_boxes(short).images


def test_boxes_of_crowds_are_no_objects(tmp_path: Path) -> None:
    coco = tmp_path / "boxes.json"
    boxes = [{"id": n, "image_id": 4, "bbox": [1, 2, 10, 20], "iscrowd": n} for n in (0, 1)]
    coco.write_text(json.dumps({"images": [{"id": 4, "file_name": "a.png"}], "annotations": boxes}))
    prompts = read_boxes(coco)
    assert len(prompts.of(Path("a.png"))) == 1
    assert prompts.notes == ("1 box of crowds (iscrowd 1) passed over",)


def test_box_on_the_command_line() -> None:
    assert parse_box("1,2.5,30,40") == (1, 2.5, 30, 40)
    for text in ("boxes.txt", "1,2,3", "4,4,1,9", "nan,1,2,3"):
        with pytest.raises(PromptError, match=f"box '{text}'"):
            parse_box(text)


CLICK = "[{clicks: [[1, 1, 1]]}]"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"a.png: {CLICK}\na.png: {CLICK}\n", "line 2: 'a.png' is there twice"),
        (f"a.png: {CLICK}\n'a.png': {CLICK}\n", "line 2: 'a.png' is there twice"),
        (f"a.png: {CLICK}\n./a.png: {CLICK}\n", "one image twice, 'a.png' and './a.png'"),
        (f"b/a.png: {CLICK}\nb\\a.png: {CLICK}\n", r"one image twice, 'b/a\.png' and 'b\\\\a\.png'"),
        (f"b/a.png: {CLICK}\nb/c/../a.png: {CLICK}\n", "one image twice"),
        (f"a.png: {CLICK}\nA.PNG: {CLICK}\n", "one image twice, 'a.png' and 'A.PNG'"),
        (f"ä.png: {CLICK}\na\u0308.png: {CLICK}\n", "one image twice"),
        ("a.png: [{clicks: [[1, 1, 1]], clicks: [[2, 2, 1]]}]\n", "line 1: 'clicks' is there twice"),
    ],
)
def test_an_image_named_twice_is_refused(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PromptError, match=named) as error:
        read_prompts(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("read", [read_prompts, read_boxes])
def test_an_image_named_twice_in_json_is_refused(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "prompts.json"
    for text, named in (
        ('{"a.png": [[1, 2, 3, 4]], "a.png": [[5, 6, 7, 8]]}', r"prompts\.json: 'a\.png' is there twice"),
        ('{"a.png": [[1, 2, 3, 4]], "./a.png": [[5, 6, 7, 8]]}', "names one image twice"),
        ('{"a.png": [{"box": [1, 2, 3, 4], "box": [5, 6, 7, 8]}]}', "'box' is there twice"),
    ):
        path.write_text(text)
        with pytest.raises(PromptError, match=named):
            read(path)


@pytest.mark.parametrize(
    "key",
    ["017", "0010", "1.10", "1e3", "0x1F", "0o17", "1_000", "12:30:45", "2026-01-02", "yes", "no", "on", "null", "~",
     "true", "False", ".inf", ".nan", "+1", "-1", "1.", "<<x"],
)  # fmt: skip
def test_keys_are_names_as_written(tmp_path: Path, key: str) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(f"{key}:\n  - {{category: {key}, clicks: [[1, 1, 1]]}}\n")
    prompts = read_prompts(path)
    assert list(prompts.images) == [key]
    (given,) = prompts.of(Path(key))
    # A null says that no category is given.
    assert given.category == ("object" if key in ("null", "~") else key)
    for other in ("15", "8", "1.1", "1000", "31", "True", "None", "False"):
        if other != key:
            with pytest.raises(PromptError, match="has no entry for"):
                prompts.of(Path(other))


def test_numbers_in_yaml_are_decimal(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text("a.png: [{clicks: [[010, 1e1, 1], [+2.5, .5, 0]]}, {box: [1., 2.0e0, 12, 1.5E1]}]\n")
    clicks, box = read_prompts(path).of(Path("a.png"))
    assert clicks.clicks == ((10, 10, 1), (2.5, 0.5, 0))
    assert box.box == (1, 2, 12, 15)
    for number in ("0x10", "1:30", "1_0", "2026-01-02", "yes"):
        path.write_text(f"a.png: [{{clicks: [[{number}, 1, 1]]}}]\n")
        with pytest.raises(PromptError, match="must be"):
            read_prompts(path)


def test_anchors_and_merges_still_work(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text("a.png: [&one {category: 018, clicks: [[1, 1, 1]]}]\nb.png: [{<<: *one, category: 28}]\n")
    prompts = read_prompts(path)
    assert prompts.of(Path("a.png")) == (ObjectPrompt("018", ((1, 1, 1),)),)
    assert prompts.of(Path("b.png")) == (ObjectPrompt("28", ((1, 1, 1),)),)


def test_byte_order_mark_and_backslashes(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + f"images\\opg.png: {CLICK}\r\n".encode())
    prompts = read_prompts(path)
    assert prompts.of(Path("set/images/opg.png"))
    with pytest.raises(PromptError, match="has no entry"):
        prompts.of(Path("set/other/opg.png"))
    path = tmp_path / "prompts.json"
    path.write_bytes(b"\xef\xbb\xbf" + rb'{"images\\opg.png": [[1, 2, 3, 4]]}')
    assert read_boxes(path).of(Path("images/opg.png"))


def test_an_image_is_found_from_inside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(f"left/a.png: {CLICK}\n")
    (tmp_path / "left").mkdir()
    monkeypatch.chdir(tmp_path / "left")
    assert read_prompts(path).of(Path("a.png"))


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_in_either_form(tmp_path: Path, forms: tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]]) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(f"{unicodedata.normalize(forms[0], 'Zähne.png')}: {CLICK}\n", encoding="utf-8")
    assert read_prompts(path).of(Path(unicodedata.normalize(forms[1], "Zähne.png")))


def test_entries_that_no_image_used(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(f"a.png: {CLICK}\nleft/a.png: {CLICK}\nb.png: {CLICK}\n")
    prompts = read_prompts(path)
    assert prompts.unused([Path("left/a.png"), Path("c.png")]) == ["a.png", "b.png"]
    assert prompts.unused([Path("left/a.png"), Path("right/a.png"), Path("b.png")]) == []


def test_a_whole_path_and_a_name_of_one_image_are_refused(tmp_path: Path) -> None:
    path, image = tmp_path / "prompts.yaml", tmp_path / "a.png"
    path.write_text(f"a.png: {CLICK}\n{image}: {CLICK}\n")
    with pytest.raises(PromptError, match=rf"names {image} twice, 'a\.png' and '{image}'; put all its objects"):
        read_prompts(path).unused([image])
    # The name is another image's as well.
    assert read_prompts(path).unused([image, Path("other/a.png")]) == []


@pytest.mark.parametrize(("given", "name"), [("36", "36"), ("36.0", "36"), ('"036"', "036")])
def test_a_category_is_a_name_or_a_whole_number(tmp_path: Path, given: str, name: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(f'{{"a.png": [{{"category": {given}, "box": [1, 1, 5, 5]}}]}}')
    assert read_prompts(path).of(Path("a.png"))[0].category == name


@pytest.mark.parametrize("given", ["true", "1.5", '["36"]', '""'])
def test_a_category_of_another_kind_is_refused(tmp_path: Path, given: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(f'{{"a.png": [{{"category": {given}, "box": [1, 1, 5, 5]}}]}}')
    with pytest.raises(PromptError, match=r"prompts\.json, a\.png, object 1: category must be a name"):
        read_prompts(path)


def picture(folder: Path, name: str = "opg.png") -> Path:
    Image.fromarray(np.zeros((256, 512), np.uint8)).save(folder / name)
    return folder / name


def coco_of(name: str, width: int, height: int) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": name, "width": width, "height": height}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [238, 65, 27, 68]}],
        "categories": [{"id": 1, "name": 11}],
    }


def test_boxes_for_another_size_are_refused(tmp_path: Path) -> None:
    image = picture(tmp_path)
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(coco_of("opg.png", 512, 256)))
    assert read_boxes(path).of(image) == (ObjectPrompt("11", (), (238, 65, 265, 133)),)
    for size in ((1024, 512), (256, 512)):
        path.write_text(json.dumps(coco_of("opg.png", *size)))
        with pytest.raises(PromptError, match=rf"of {size[0]}x{size[1]} pixels, .*opg\.png has 512x256; make them"):
            read_boxes(path).of(image)
    as_text = coco_of("opg.png", 512, 256)
    as_text["images"][0] |= {"width": "1024", "height": "512"}
    path.write_text(json.dumps(as_text))
    with pytest.raises(PromptError, match=r"of 1024x512 pixels, .*opg\.png has 512x256"):
        read_boxes(path).of(image)
    as_text["images"][0]["height"] = "high"
    path.write_text(json.dumps(as_text))
    with pytest.raises(PromptError, match=r"images\[0\] has a height that is not a whole number, 'high'"):
        read_boxes(path)
    twice = coco_of("opg.png", 512, 256)
    twice["images"].append({"id": 8, "file_name": "./opg.png", "width": 1024, "height": 512})
    path.write_text(json.dumps(twice))
    with pytest.raises(PromptError, match=r"names the image opg\.png twice with two sizes"):
        read_boxes(path)


def test_one_image_under_two_ids_has_the_boxes_of_both(tmp_path: Path) -> None:
    twice = coco_of("opg.png", 512, 256)
    twice["images"].append({"id": 8, "file_name": "./opg.png", "width": 512, "height": 256})
    twice["annotations"].append({"id": 2, "image_id": 8, "category_id": 1, "bbox": [5, 5, 10, 10]})
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(twice))
    assert [given.box for given in read_boxes(path).of(picture(tmp_path))] == [(238, 65, 265, 133), (5, 5, 15, 15)]


def test_a_results_list_is_read_with_the_file_of_its_images(tmp_path: Path) -> None:
    image = picture(tmp_path)
    results, images = tmp_path / "results.json", tmp_path / "instances.json"
    found = [{"image_id": 7, "category_id": 1, "bbox": [238, 65, 27, 68], "score": 0.9}]
    results.write_text(json.dumps(found))
    images.write_text(json.dumps(coco_of("images\\opg.png", 512, 256) | {"annotations": []}))
    for read in (read_prompts, read_boxes):
        with pytest.raises(PromptError, match="a results list names no image files, only image_id 7; give the COCO"):
            read(results)
    place = tmp_path / "images"
    place.mkdir()
    inside = picture(place)
    assert read_boxes(results, images).of(inside) == (ObjectPrompt("11", (), (238, 65, 265, 133)),)
    with pytest.raises(PromptError, match="has no entry"):
        read_boxes(results, images).of(image)
    results.write_text(json.dumps([*found, {"image_id": 8, "category_id": 1, "bbox": [1, 1, 5, 5]}]))
    with pytest.raises(PromptError, match="result 2: .*no image in .* has its image_id"):
        read_boxes(results, images)
    results.write_text(json.dumps(found))
    images.write_text(json.dumps(coco_of("images/opg.png", 1024, 512)))
    with pytest.raises(PromptError, match="for an image of 1024x512 pixels"):
        read_boxes(results, images).of(inside)
    images.write_text("[]")
    with pytest.raises(PromptError, match=r"instances\.json has no list 'images'"):
        read_boxes(results, images)
    results.write_text(json.dumps(coco_of("opg.png", 512, 256)))
    with pytest.raises(PromptError, match="names its images itself"):
        read_boxes(results, images)


@pytest.mark.parametrize("image_id", ["opg", "opg.png", "left/opg", "left\\opg.png"])
def test_a_results_list_may_name_its_images(tmp_path: Path, image_id: str) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps([{"image_id": image_id, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}]))
    assert read_boxes(results).of(Path("left/opg.png")) == (ObjectPrompt("object", (), (1, 2, 4, 6)),)
    with pytest.raises(PromptError, match="has no entry"):
        read_boxes(results).of(Path("left/opg-2.png"))


@pytest.mark.parametrize("number", ["1" + "0" * 90, "1e308", "-1.0e+400", ".nan", "true", "1100000000"])
def test_numbers_that_are_no_coordinates(tmp_path: Path, number: str) -> None:
    path = tmp_path / "p.yaml"
    for entry in (f"{{clicks: [[{number}, 2, 1]]}}", f"{{box: [1, 2, {number}, 4]}}"):
        path.write_text(f"a.png: [{entry}]")
        with pytest.raises(PromptError, match="with finite numbers, not ") as caught:
            read_prompts(path)
        assert len(str(caught.value).replace(str(path), "")) < 200


def test_a_number_of_400_digits(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(f'{{"a.png": [{{"clicks": [[{10**400}, 2, 1]]}}]}}')
    with pytest.raises(PromptError, match="line 1 is not valid JSON .a number with 401 digits."):
        read_prompts(path)
