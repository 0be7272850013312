from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from dentasam.errors import WorkspaceError
from dentasam.labelling.schema import Label, LabelSchema

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
        ("labels: [", "no YAML"),
        ("- 1", "valid"),
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


def test_restorations_and_lesions_belong_to_teeth() -> None:
    schema = LabelSchema.default()
    assert schema.links("restoration", "36")
    assert schema.links("periapical lesion", "36")
    assert not schema.links("36", "restoration")
    assert not schema.links("36", "37")
    assert not schema.links("caries", "restoration")
    assert not schema.links(None, "36")
    assert not schema.links("unknown", "36")
