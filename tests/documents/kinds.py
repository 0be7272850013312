"""A sound document of each kind that is read from files or requests, and what reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.deidentify.keyed_map import load_key
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import import_dataset
from dentasam.data.prompt_files.sources import PromptSources
from dentasam.data.teeth.numbering import Numbering
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.exchange.monai import read_params
from dentasam.labelling.log.operations import parse_operations
from dentasam.labelling.wire.envelope import MAGIC, unpack
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.settings import WorkspaceSettings
from dentasam.model.adapters.folder import AdapterCard, json_object
from dentasam.model.chart.head import ChartCard
from dentasam.model.onnx.export import ExportCard
from dentasam.training.recipe.recipe_file import load_any_recipe

from ..data.coco_files import HEIGHT, WIDTH, content

HASH = "ab" * 32
UUID = "12345678-1234-1234-1234-123456789abc"
SQUARE = [[10.0, 5.0], [30.0, 5.0], [30.0, 18.0], [10.0, 18.0]]


@dataclass(frozen=True)
class Kind:
    """name: of the file. sound: the content. read: reads the file at a path whose folder holds nothing else."""

    name: str
    sound: Any
    read: Callable[[Path], object]


def _images(folder: Path) -> None:
    for name in ("a.png", "images/a.png", "images/deep/b.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT), 90).save(path)


def _prompts(path: Path) -> None:
    _images(path.parent)
    sources = PromptSources.read(path, [], None)
    for item in sources.of(path.parent / "a.png"):
        assert all(abs(value) <= 1e9 for value in (*chain.from_iterable(item.clicks), *(item.box or ())))


def _boxes(path: Path) -> None:
    _images(path.parent)
    sources = PromptSources.read(None, [str(path)], None)
    sources.of(path.parent / "images" / "a.png")
    sources.warnings([path.parent / "images" / "a.png"])


def _coco(path: Path) -> None:
    _images(path.parent)
    dataset = Dataset.load(path)
    for image in dataset.images:
        image.masks()


def _imported(format: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        _images(path.parent)
        out = path.parent / "out"
        shutil.rmtree(out, ignore_errors=True)
        source = path.parent if format in ("labelme", "labels", "yolo") else path
        if format == "yolo":
            (path.parent / "labels").mkdir(exist_ok=True)
            (path.parent / "labels" / "a.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
        if format == "labels":
            shutil.rmtree(path.parent / "images" / "deep")
            if path.name == "tags.json":
                (path.parent / "labels.json").write_text('{"a.png": {"1": "36"}}')
            (path.parent / "labels").mkdir(exist_ok=True)
            Image.new("L", (WIDTH, HEIGHT), 1).save(path.parent / "labels" / "a.png")
        _coco_of(import_dataset(format, source, out, ImportOptions(numbering=Numbering.fdi)))

    return read


def _coco_of(path: Path) -> None:
    for image in Dataset.load(path).images:
        image.masks()


def _annotators(path: Path) -> None:
    assert all(isinstance(name, str) for name in Annotators(path).names)


def _chart_card(path: Path) -> None:
    ChartCard.read(path.parent)


def _envelope(path: Path) -> None:
    text = path.read_bytes()
    document = unpack(MAGIC + len(text).to_bytes(4, "little") + text + bytes(8))
    if isinstance(document, dict):
        parse_operations(document.get("operations"))


def _monai(path: Path) -> None:
    assert all(len(click) == 3 for click in read_params("application/json", path.read_bytes()).clicks)


def _key(path: Path) -> None:
    path.chmod(0o600)
    load_key(path)


_LABELME: dict[str, Any] = {
    "version": "5.5.0",
    "flags": {},
    "shapes": [{"label": "36", "points": SQUARE, "group_id": None, "shape_type": "polygon", "flags": {}}],
    "imagePath": "a.png",
    "imageData": None,
    "imageHeight": HEIGHT,
    "imageWidth": WIDTH,
}
_LABEL_STUDIO = [
    {
        "id": 1,
        "data": {"image": "a.png"},
        "annotations": [
            {
                "id": 3,
                "result": [
                    {
                        "type": "polygonlabels",
                        "original_width": WIDTH,
                        "original_height": HEIGHT,
                        "value": {"points": [[10, 10], [50, 10], [50, 60]], "polygonlabels": ["36"]},
                    }
                ],
            }
        ],
    }
]
_OPERATIONS = {
    "operations": [
        {
            "id": UUID,
            "time": 5,
            "object": UUID,
            "kind": "mask",
            "data": {
                "tool": "brush",
                "stroke": {"shape": "round", "size": 3.5, "points": [[1, 2], [3.5, 4]]},
                "prompts": {"clicks": [[1, 2, 1]], "box": [1, 2, 3, 4]},
                "model": {"name": "m", "score": 0.5},
            },
            "mask": {"x": 0, "y": 0, "width": 0, "height": 0, "offset": 0, "length": 0},
        }
    ]
}
_RECIPE = {
    "seed": 1,
    "optimiser": {"lr": 1e-4, "weight_decay": 0.01},
    "lora": {"rank": 4, "alpha": 8},
}
_SCHEMA = {
    "tidy": {"islands": 0.1, "holes": 0.02},
    "labels": [
        {"name": "11", "title": "Incisor", "kind": "tooth", "colour": "#56b4e9", "prefers": "part"},
        {"name": "12", "title": "Incisor", "colour": "#f0e442", "tidy": {"islands": 3}},
    ],
}
_CARD = {
    "base_model": "dentasam-tiny",
    "base_sha256": HASH,
    "scope": "decoder",
    "recipe": {"lora": {"rank": 4}},
    "data": "phantoms",
    "scores": {"dice@1": 0.9},
    "created": "2026-01-01",
    "dentasam": "1.0",
}
_CHART_CARD: dict[str, Any] = {
    "base_model": "dentasam-tiny",
    "base_sha256": HASH,
    "adapter": None,
    "adapter_sha256": None,
    "adapter_settings_sha256": None,
    "width": 128,
    "detail": 64,
    "numberer_width": 128,
    "recipe": {},
    "data": "",
    "scores": {},
    "weights_sha256": HASH,
    "created": "",
    "dentasam": "1.0",
}
_EXPORT_CARD = {
    "base_model": "dentasam-tiny",
    "base_sha256": HASH,
    "kind": "vit_tiny",
    "adapter": {"name": "a", "weights_sha256": HASH, "settings_sha256": HASH},
    "int8": None,
    "opset": 18,
    "format": 2,
    "dentasam": "1.0",
}
_RESULTS = [{"image_id": "a", "category_id": 36, "bbox": [1, 2, 3, 4], "score": 0.9}]

KINDS = {
    "prompts as YAML": Kind(
        "p.yaml", {"a.png": [{"category": "36", "clicks": [[8, 4, 1], [9, 5, 0]]}], "b.png": [[1, 2, 3, 4]]}, _prompts
    ),
    "prompts as JSON": Kind("p.json", {"a.png": [{"clicks": [[8, 4, 1]], "box": [1, 2, 3, 4]}]}, _prompts),
    "boxes": Kind("b.yaml", {"a.png": [[1, 2, 3, 4], [5, 6, 7, 8]]}, _boxes),
    "boxes as COCO": Kind(
        "b.json",
        {
            "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 36, "bbox": [1, 2, 3, 4]}],
            "categories": [{"id": 36, "name": "36"}],
        },
        _boxes,
    ),
    "boxes as results": Kind("r.json", _RESULTS, _boxes),
    "COCO": Kind("d.json", content(), _coco),
    "COCO imported": Kind("d.json", content(), _imported("coco")),
    "LabelMe": Kind("a.json", _LABELME, _imported("labelme")),
    "Label Studio": Kind("ls.json", _LABEL_STUDIO, _imported("label-studio")),
    "labels.json": Kind("labels.json", {"a.png": {"1": "36"}}, _imported("labels")),
    "tags.json": Kind("tags.json", {"a.png": ["blurred"]}, _imported("labels")),
    "data.yaml": Kind("data.yaml", {"names": {"0": "36", "1": "11"}, "nc": 2}, _imported("yolo")),
    "recipe": Kind("r.yaml", _RECIPE, load_any_recipe),
    "schema": Kind("schema.yaml", _SCHEMA, LabelSchema.load),
    "settings": Kind("settings.yaml", {"proposals": True}, lambda path: WorkspaceSettings.of(path.parent)),
    "annotators": Kind("annotators.yaml", {"annotators": [{"name": "anna", "password": "$argon2id$x"}]}, _annotators),
    "adapter_config.json": Kind(
        "adapter_config.json", {"r": 4, "target_modules": ["a"], "peft_type": "LORA"}, json_object
    ),
    "dentasam.json": Kind("dentasam.json", _CARD, lambda path: AdapterCard.read(path.parent)),
    "chart.json": Kind("chart.json", _CHART_CARD, _chart_card),
    "card of ONNX": Kind("dentasam.json", _EXPORT_CARD, lambda path: ExportCard.read(path.parent)),
    "envelope": Kind("e", _OPERATIONS, _envelope),
    "params of MONAI": Kind("m", {"foreground": [[1, 2]], "background": [[3, 4, 0]], "label": "36"}, _monai),
    "key": Kind(
        "key.json",
        {
            "format": "dentasam de-identification key",
            "version": 1,
            "key": HASH,
            "uids": {},
            "patients": {},
            "files": {},
            "outputs": {},
        },
        _key,
    ),
}


def text_of(kind: Kind) -> str:
    """The sound document, in the syntax that the file's name says."""
    if kind.name.endswith(".yaml"):
        return yaml.safe_dump(kind.sound)
    return json.dumps(kind.sound)
