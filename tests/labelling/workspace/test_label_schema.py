from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from dentasam.errors import WorkspaceError
from dentasam.labelling.workspace.label_schema import Label, LabelSchema
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_HOLES, DEFAULT_ISLANDS, Tidy

TEETH = [f"{quadrant}{place}" for quadrant in range(1, 5) for place in range(1, 9)]
DECIDUOUS = [f"{quadrant}{place}" for quadrant in range(5, 9) for place in range(1, 6)]


def label(**change: Any) -> dict[str, Any]:
    return {"name": "36", "title": "Molar", "kind": "tooth", "colour": "#E69F00"} | change


def test_the_default_names_every_tooth_and_what_is_found_on_them() -> None:
    schema = LabelSchema.default()
    kinds = {label.name: label.kind for label in schema.labels}
    assert [name for name, kind in kinds.items() if kind == "tooth"] == TEETH + DECIDUOUS
    assert [name for name, kind in kinds.items() if kind == "restoration"] == [
        "restoration",
        "root filling",
        "implant",
    ]
    assert [name for name, kind in kinds.items() if kind == "lesion"] == ["caries", "periapical lesion"]
    assert kinds["other"] == "other"
    titles = {label.name: label.title for label in schema.labels}
    assert titles["36"] == "Lower left first molar"
    assert titles["11"] == "Upper right central incisor"
    assert titles["85"] == "Lower right deciduous second molar"


def test_neighbouring_and_opposing_teeth_differ_in_colour() -> None:
    colours = {label.name: label.colour for label in LabelSchema.default().labels}
    for upper_right, upper_left, lower_left, lower_right, places in (
        ("1", "2", "3", "4", 8),
        ("5", "6", "7", "8", 5),
    ):
        quadrants = (upper_right, upper_left, lower_left, lower_right)
        pairs = [(f"{q}{p}", f"{q}{p + 1}") for q in quadrants for p in range(1, places)]
        pairs += [(f"{upper_right}1", f"{upper_left}1"), (f"{lower_right}1", f"{lower_left}1")]
        pairs += [(f"{upper_right}{p}", f"{lower_right}{p}") for p in range(1, places + 1)]
        pairs += [(f"{upper_left}{p}", f"{lower_left}{p}") for p in range(1, places + 1)]
        assert [pair for pair in pairs if colours[pair[0]] == colours[pair[1]]] == []


def test_restorations_and_lesions_prefer_the_part_unless_the_file_says_otherwise() -> None:
    default = LabelSchema.default()
    names = ["restoration", "root filling", "implant", "caries", "periapical lesion"]
    assert [label.name for label in default.labels if default.prefers_part(label.name)] == names
    assert not default.prefers_part(None)
    assert not default.prefers_part("unknown")
    own = LabelSchema(
        labels=(
            Label(**label(name="crown", kind="restoration", prefers="whole")),
            Label(**label(name="root", kind="tooth", prefers="part")),
        )
    )
    assert [own.prefers_part(each.name) for each in own.labels] == [False, True]


def test_a_schema_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    schema = LabelSchema(
        labels=(Label(**label(name="1: é", title="'x' #1")), Label(**label(name="no", kind="other")))
    )
    schema.save(path)
    assert LabelSchema.load(path) == schema
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["labels"][1]["name"] == "no"
    assert [file.name for file in tmp_path.iterdir()] == ["schema.yaml"]
    LabelSchema.default().save(path)
    assert LabelSchema.load(path) == LabelSchema.default()


@pytest.mark.parametrize("colour", ["#808080", "#000000", "#ffffff", "#90a0a0", "red", "#12345", "#e69f00ff", ""])
def test_grey_and_what_is_no_colour_is_refused(colour: str) -> None:
    with pytest.raises(ValidationError):
        Label(**label(colour=colour))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("labels: [", "is not valid YAML"),
        ("- 1", ": a mapping of keys is wanted; fix it"),
        ("labels: []", "labels"),
        (
            "labels:\n- {name: a, title: a, colour: '#ff0000'}\n- {name: a, title: b, colour: '#00ff00'}",
            "'a' is there",
        ),
        ("labels:\n- {name: 36, title: a, colour: '#ff0000'}", "labels.0.name"),
        ("labels:\n- {name: a, title: a, colour: '#777777'}", "grey"),
        ("labels:\n- {name: a, title: a, colour: '#ff0000', color: red}", "color"),
        ("labels:\n- {name: a, title: a, colour: '#ff0000', kind: bone}", "kind"),
    ],
)
def test_a_faulty_file_is_named_with_the_place(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(WorkspaceError) as caught:
        LabelSchema.load(path)
    assert str(path) in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


CVD = {  # Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def lab(colour: str, seen_by: str) -> np.ndarray:
    """CIE L*a*b* of a colour as people with a colour vision deficiency see it."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(CVD[seen_by]) @ linear, 0, 1)
    x, y, z = (np.array(TO_XYZ) @ linear) / (0.9505, 1, 1.089)
    fx, fy, fz = (np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("seen_by", CVD)
def test_restorations_and_lesions_have_colours_apart_from_those_of_teeth(seen_by: str) -> None:
    labels = LabelSchema.default().labels
    teeth = {label.colour for label in labels if label.kind == "tooth"}
    others = [label.colour for label in labels if label.kind != "tooth"]
    assert len(set(others)) == len(others)
    apart = [float(np.linalg.norm(lab(one, seen_by) - lab(tooth, seen_by))) for one in others for tooth in teeth]
    # Below about 10 two patches side by side are hard to tell apart.
    assert min(apart) > 20


def test_a_label_may_tidy_otherwise_than_the_workspace(tmp_path: Path) -> None:
    own = Label(**label(name="root filling", kind="restoration", tidy={"islands": 0}))
    schema = LabelSchema(labels=(Label(**label()), own), tidy=Tidy(islands=40))
    assert schema.tidy_of("36") == schema.tidy_of(None) == Tidy(islands=40, holes=DEFAULT_HOLES)
    assert schema.tidy_of("root filling") == Tidy(islands=0, holes=DEFAULT_HOLES)
    schema.save(tmp_path / "schema.yaml")
    assert LabelSchema.load(tmp_path / "schema.yaml") == schema


def test_a_schema_from_before_there_was_tidying_gets_the_default(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text("labels:\n- {name: '36', title: Molar, kind: tooth, colour: '#e69f00'}\n", encoding="utf-8")
    assert LabelSchema.load(path).tidy_of("36") == Tidy(islands=DEFAULT_ISLANDS, holes=DEFAULT_HOLES)


def test_a_wrong_size_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text("tidy: {holes: -3}\nlabels:\n- {name: a, title: A, colour: '#e69f00'}\n", encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"schema.yaml: tidy.holes: "):
        LabelSchema.load(path)


@pytest.mark.parametrize(
    "letter",
    [
        "\x00",
        "\x7f",
        "\x85",
        "\x9b",
        "\xad",
        "\u115f",
        "\u200b",
        "\ufe0f",
        "\U000e0041",
        "\u200f",
        "\u2028",
        "\u202e",
        "\u2066",
        "\ud800",
    ],
)
def test_a_new_name_has_no_character_that_nobody_sees(letter: str) -> None:
    for key in ("name", "title"):
        label = {"name": "a", "title": "a", "colour": "#ff0000"} | {key: f"a{letter}b"}
        if key == "title" and letter in "\u200f\xad\u115f\u200b\ufe0f\U000e0041":
            LabelSchema.model_validate({"labels": [label]})
            continue
        with pytest.raises(ValidationError):
            LabelSchema.model_validate({"labels": [label]})
