"""Prompt files: what is read, and that a malformed one is told by its file and entry."""

import json
from pathlib import Path

import pytest

from dentasam.data.prompt_file import ObjectPrompt, parse_box, read_boxes, read_prompts
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
        ("a.png: [", "line 1: not YAML"),
        ("a.png: {}", "a.png: must be a list"),
        ("a.png: []", "a.png: must be a list"),
        ("a.png: [7]", "a.png, object 1: must have clicks or a box"),
        ("a.png: [{clicks: [[1, 1, 1]]}, {}]", "a.png, object 2: needs clicks or a box"),
        ("a.png: [{click: [[1, 1, 1]]}]", "object 1: unknown key 'click'"),
        ("a.png: [{clicks: 3}]", "object 1: clicks must be a list"),
        ("a.png: [{clicks: [[1, 1]]}]", "object 1, click 1: must be"),
        ("a.png: [{clicks: [[1, 1, 1], [1, .nan, 1]]}]", "object 1, click 2: must be"),
        ("a.png: [{clicks: [[1, 1, 2]]}]", "object 1, click 1: its third number"),
        ("a.png: [{clicks: [[1, true, 1]]}]", "object 1, click 1: must be"),
        ("a.png: [{clicks: [[1, 1, 0]]}]", "object 1: negative clicks alone"),
        ("a.png: [{box: [1, 2, 3]}]", "object 1: a box is"),
        ("a.png: [{box: [5, 2, 3, 9]}]", "object 1: box .* is empty"),
        ("a.png: [{box: [1, 2, .inf, 9]}]", "object 1: a box is"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_malformed_prompts(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(text)
    with pytest.raises(PromptError, match=message) as fault:
        read_prompts(path)
    assert str(path) in str(fault.value)
    assert "\n" not in str(fault.value)


def test_broken_json_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    with pytest.raises(PromptError, match=r"prompts\.json does not exist"):
        read_prompts(path)
    path.write_text('{"a.png": [\n}')
    with pytest.raises(PromptError, match=r"prompts\.json, line 2: not JSON"):
        read_prompts(path)
    path.write_bytes(b"\xff\xfe\x00\x81")
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


def test_box_on_the_command_line() -> None:
    assert parse_box("1,2.5,30,40") == (1, 2.5, 30, 40)
    for text in ("boxes.txt", "1,2,3", "4,4,1,9", "nan,1,2,3"):
        with pytest.raises(PromptError, match=f"box '{text}'"):
            parse_box(text)
