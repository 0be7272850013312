"""The kinds of files that the product reads, by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from . import readers, server_requests
from .benders.archives import bend_tar, bend_zip
from .benders.databases import bend_database
from .benders.dicom import bend_dicom
from .benders.documents import bend_document
from .benders.jpeg import bend_jpeg
from .benders.png import bend_png
from .benders.raw import bend_bytes
from .benders.tensors import bend_pth, bend_safetensors
from .benders.tiff import bend_tiff
from .examples import datasets, images, models, texts, workspaces
from .kind import Bent, Kind

Bend = Callable[[Random, Path], Bent]
BendBytes = Callable[[Random, bytes], tuple[bytes, str]]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def one_file(bend: BendBytes, unseen: bool = True) -> Bend:
    """One of the example's files is bent by its bytes.

    unseen: whether changes that know the kind's checksum may pass unnoticed; a pure change of bytes may not.
    """

    def bent(rng: Random, folder: Path) -> Bent:
        path = rng.choice(_files(folder))
        content, how = bend(rng, path.read_bytes())
        path.write_bytes(content)
        return Bent(folder, path, f"{path.name}: {how}", draw=rng.random(), unseen=unseen)

    return bent


def _bent_like(rng: Random, path: Path) -> tuple[bytes, str]:
    """Bends a file as what its name says it is."""
    content = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix == ".json":
        return bend_document(rng, json.loads(content))
    if suffix in (".yaml", ".yml"):
        return bend_document(rng, yaml.safe_load(content), as_yaml=True)
    by_suffix: dict[str, BendBytes] = {
        ".png": bend_png,
        ".dcm": bend_dicom,
        ".safetensors": bend_safetensors,
        ".pth": bend_pth,
    }
    return by_suffix.get(suffix, bend_bytes)(rng, content)


def in_folder(source: str, rarely: tuple[str, ...] = (".png",)) -> Bend:
    """One of the files of a folder is bent as what it is; a file may also go. The refusal may name any part of it."""

    def bent(rng: Random, folder: Path) -> Bent:
        files = _files(folder / source)
        preferred = [path for path in files if path.suffix not in rarely]
        path = rng.choice(preferred if preferred and rng.random() < 0.85 else files)
        names = (path.name, path.stem, source, *(part for part in path.relative_to(folder).parts[:-1]))
        if rng.random() < 0.05:
            path.unlink()
            how = f"{path.name} removed"
        else:
            content, how = _bent_like(rng, path)
            path.write_bytes(content)
            how = f"{path.name}: {how}"
        return Bent(folder, path, how, names, rng.random(), unseen=True)

    return bent


def document(choices: dict[str, Any], as_yaml: float, images: tuple[str, ...] = ()) -> Bend:
    """One of some documents is bent and written. as_yaml: the share that is written as YAML. images: it is about."""

    def bent(rng: Random, folder: Path) -> Bent:
        name = rng.choice(sorted(choices))
        yaml_text = rng.random() < as_yaml
        content, how = bend_document(rng, choices[name], yaml_text)
        suffix = ".yaml" if yaml_text else ".json"
        path = folder / (name + suffix)
        path.write_bytes(content)
        # What is wrong for its image alone is named by the image.
        return Bent(folder, path, f"{path.name}: {how}", (path.name, *images), rng.random())

    return bent


def _bend_recipe(rng: Random, folder: Path) -> Bent:
    from importlib import resources

    recipes = resources.files("dentasam") / "assets" / "recipes"
    name = rng.choice(("chart", "decoder", "encoder", "hq"))
    text = (recipes / f"{name}.yaml").read_text("utf-8")
    if rng.random() < 0.3:
        content, how = bend_bytes(rng, text.encode())
    else:
        content, how = bend_document(rng, yaml.safe_load(text), as_yaml=True)
    path = folder / "bent.yaml"
    path.write_bytes(content)
    return Bent(folder, path, f"{name}: {how}", draw=rng.random())


def _bend_settings(rng: Random, folder: Path) -> Bent:
    from .benders.documents import VALUES, YAML_VALUES

    key, value = rng.choice(texts.SETTINGS)
    way = rng.randrange(4)
    if way == 0:
        content, how = bend_bytes(rng, f"{key}={value}".encode())
    elif way == 1:
        content, how = f"{rng.choice(('', 'x', key + '.x', '__class__', 'é', key.upper()))}={value}".encode(), "key"
    else:
        text = rng.choice(VALUES + YAML_VALUES * 2)
        content, how = f"{key}={text}".encode("utf-8", "surrogatepass"), text[:60]
    # What a shell can pass on.
    path = folder / "set.txt"
    path.write_bytes(content.replace(b"\0", b""))
    return Bent(folder, path, f"--set {key}: {how}", names=("--set",), draw=rng.random())


def _bend_coco(rng: Random, folder: Path) -> Bent:
    path = folder / "coco.json"
    if rng.random() < 0.1:
        return one_file(bend_png)(rng, folder)
    content, how = bend_document(rng, json.loads(path.read_text("utf-8")))
    path.write_bytes(content)
    return Bent(folder, path, how, (path.name, "phantom-0000"), rng.random())


def _bend_workspace(rng: Random, folder: Path) -> Bent:
    """A file of a workspace other than its database."""
    root = folder / "coco.dentasam"
    files = [path for path in _files(root) if "sqlite" not in path.name and path.name != "lock"]
    path = rng.choice(files)
    if path.suffix in (".yaml", ".json") and rng.random() < 0.8:
        content, how = _bent_like(rng, path)
    else:
        content, how = bend_bytes(rng, path.read_bytes())
    path.write_bytes(content)
    return Bent(folder, path, f"{path.name}: {how}", draw=rng.random())


def _bend_database(rng: Random, folder: Path) -> Bent:
    path = folder / workspaces.DATABASE
    how, by_rows = bend_database(rng, path)
    # A case or an object is named where the database is readable.
    names = (path.name, "coco.dentasam", "phantom-0000")
    return Bent(folder, path, how, names, rng.random(), unseen=by_rows)


def _build_runs(folder: Path) -> None:
    workspaces.build_run(folder)
    shutil.copytree(folder / "run", folder / "whole")


def _bend_envelope(rng: Random, folder: Path) -> Bent:
    path = folder / "operations.dsm"
    content = path.read_bytes()
    length = int.from_bytes(content[4:8], "little")
    if rng.random() < 0.5:
        bent, how = bend_bytes(rng, content)
    else:
        text, how = bend_document(rng, json.loads(content[8 : 8 + length]))
        bent = b"DSM1" + len(text).to_bytes(4, "little") + text + content[8 + length :]
    path.write_bytes(bent)
    return Bent(folder, path, how, draw=rng.random())


def _build_envelope(folder: Path) -> None:
    from dentasam.labelling.wire.envelope import pack

    from ..labelling.running import create, masked, square

    object = "00000000-0000-4000-9000-000000000001"
    made = {**create(object, category="11"), "id": "00000000-0000-4000-8000-000000000001"}
    painted = {**masked(object, square(1, 1, 4)), "id": "00000000-0000-4000-8000-000000000002"}
    (folder / "operations.dsm").write_bytes(pack({"operations": [made, painted]}))


def _imported(format: str, in_tests: int = 3) -> Kind:
    build = datasets.exported(format)
    name = "png-masks" if format == "png" else format
    return Kind(name, build, in_folder("set"), readers.imports("set", format), in_tests=in_tests)


_ALL = (
    Kind(
        "png", images.build_png, one_file(bend_png, unseen=False), readers.read_image, in_tests=10, whole="gray8.png"
    ),
    Kind("jpeg", images.build_jpeg, one_file(bend_jpeg), readers.read_image, in_tests=10, whole="gray.jpg"),
    Kind("tiff", images.build_tiff, one_file(bend_tiff), readers.read_image, in_tests=10, whole="gray8.tif"),
    Kind("dicom", images.build_dicom, one_file(bend_dicom), readers.read_image, in_tests=10, whole="explicit.dcm"),
    Kind(
        "dicom-compressed",
        images.build_compressed_dicom,
        one_file(bend_dicom),
        readers.read_image,
        in_tests=8,
        whole="rle.dcm",
    ),
    Kind("coco", datasets.build_coco, _bend_coco, readers.read_coco, in_tests=10),
    Kind(
        "prompts",
        texts.build_documents,
        document({"prompts": texts.PROMPTS}, 0.7, ("a.png, object",)),
        readers.read_prompts,
        in_tests=10,
        whole="prompts.json",
    ),
    Kind(
        "boxes",
        texts.build_documents,
        document({"boxes": texts.BOXES, "results": texts.RESULTS, "coco": texts.IMAGES_FILE}, 0.3),
        readers.read_boxes,
        in_tests=10,
        whole="boxes.json",
    ),
    Kind("recipe", texts.build_documents, _bend_recipe, readers.read_recipe, in_tests=10, whole="recipe.json"),
    Kind("set", texts.build_documents, _bend_settings, readers.read_settings, in_tests=10, whole="set.txt"),
    Kind("workspace", workspaces.build_workspace, _bend_workspace, readers.read_workspace, in_tests=8),
    Kind("database", workspaces.build_workspace, _bend_database, readers.read_database, guarded=True, in_tests=6),
    Kind(
        "safetensors",
        models.build_safetensors,
        one_file(bend_safetensors),
        readers.read_checkpoint,
        in_tests=4,
        whole="model.safetensors",
    ),
    Kind("pth", models.build_pth, one_file(bend_pth), readers.read_checkpoint, in_tests=4, whole="model.pth"),
    Kind("adapter", models.build_adapter, in_folder("adapter"), readers.read_adapter, in_tests=6),
    Kind("chart-head", models.build_chart_head, in_folder("head"), readers.read_chart_head, in_tests=5),
    Kind("embedding", models.build_embedding, one_file(bend_safetensors, False), readers.read_embedding, in_tests=6),
    Kind("onnx", models.build_onnx, in_folder("exported"), readers.read_exported, in_tests=6),
    Kind(
        "training-state",
        models.build_training_state,
        one_file(bend_pth, False),
        readers.read_training_state,
        guarded=True,
        in_tests=6,
    ),
    Kind("run", _build_runs, in_folder("run"), readers.read_run, in_tests=6),
    Kind("zip", datasets.build_zip, one_file(bend_zip), readers.imports("set.zip"), in_tests=5),
    Kind("tar", datasets.build_tar, one_file(bend_tar), readers.imports("set.tar"), in_tests=5),
    *map(_imported, ("png", "labels", "labelme", "label-studio", "cvat", "yolo", "nifti", "nnunet", "dicom-seg")),
    Kind("envelope", _build_envelope, _bend_envelope, readers.read_envelope, in_tests=10, whole="operations.dsm"),
    Kind(
        "http",
        server_requests.build_requests,
        server_requests.bend_requests,
        server_requests.send_requests,
        in_tests=2,
        whole="requests.json",
    ),
)
KINDS = {kind.name: kind for kind in _ALL}
