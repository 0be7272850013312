"""A small dataset in every format that the product writes, and in archives."""

import gzip
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pydicom

from dentasam.data.dataset import Dataset
from dentasam.data.formats.registry import export_dataset
from dentasam.data.phantom import write_phantoms

from . import images

WIDTH, HEIGHT, OBJECTS = 128, 64, 8
# How the UIDs begin that pydicom and highdicom make.
_GENERATED = "1.2.826.0.1.3680043."


def coco_document(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Writes three phantoms under a folder and returns their COCO document, with RLE, polygons, tags and a crowd."""
    path = write_phantoms(folder, 3, 0, WIDTH, HEIGHT, conditions=())
    document = json.loads(path.read_text("utf-8"))
    of_first, of_second, of_third = (
        [each for each in document["annotations"] if each["image_id"] == image][:OBJECTS] for image in (1, 2, 3)
    )
    document["annotations"] = [*of_first, *of_second, *of_third[:2]]
    of_first[0]["segmentation"] = [[10, 10, 40, 10, 40, 40.5, 10, 40], [50, 5, 60, 5, 60, 20]]
    of_first[0]["bbox"], of_first[0]["area"] = [10, 5, 50, 36], 1000
    of_second[1]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": [64, 30, 34, 30, 34, HEIGHT * WIDTH - 192]}
    of_second[1]["bbox"], of_second[1]["area"] = [1, 0, 2, 30], 60
    of_second[2]["iscrowd"] = 1
    document["images"][0]["tags"] = ["blurred"]
    path.unlink()
    return document


def build_coco(folder: Path) -> None:
    document = coco_document(folder)
    (folder / "coco.json").write_text(json.dumps(document), "utf-8")


def exported(format: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        source = folder / "source"
        source.mkdir()
        document = coco_document(source)
        document["annotations"] = [each for each in document["annotations"] if not each["iscrowd"]]
        if format == "dicom-seg":
            images.build_dicom(source)
            (source / "images").mkdir(exist_ok=True)
            document["images"] = [document["images"][0] | {"file_name": "explicit.dcm"}]
            document["annotations"] = [each for each in document["annotations"] if each["image_id"] == 1]
        (source / "coco.json").write_text(json.dumps(document), "utf-8")
        export_dataset(format, Dataset.load(source / "coco.json"), folder / "set")
        shutil.rmtree(source)
        if format == "nifti":
            _without_times(folder / "set")
        if format == "dicom-seg":
            _with_fixed_identifiers(folder / "set")

    return build


def _without_times(folder: Path) -> None:
    """gzip notes when a file was made."""
    for path in folder.rglob("*.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=0))


def _with_fixed_identifiers(folder: Path) -> None:
    """Segmentations have new UIDs, dates and times whenever they are written."""
    (path,) = folder.rglob("segmentations/*.dcm")
    (image,) = (other for other in folder.rglob("*.dcm") if other != path)
    known = {element.value for element in pydicom.dcmread(image).iterall() if element.VR == "UI"}
    segmentation = pydicom.dcmread(path)
    own: dict[str, str] = {}
    fixed = {"DA": "20240229", "TM": "120000", "DT": "20240229120000"}
    for element in [*segmentation.file_meta, *segmentation.iterall()]:
        if element.VR in fixed and element.value:
            element.value = fixed[element.VR]
        elif element.VR == "UI" and str(element.value).startswith(_GENERATED) and element.value not in known:
            element.value = own.setdefault(str(element.value), f"{_GENERATED}{len(own) + 100}")
    segmentation.save_as(path, enforce_file_format=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def build_zip(folder: Path) -> None:
    (folder / "set").mkdir()
    build_coco(folder / "set")
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder / "set"):
            info = zipfile.ZipInfo(os.path.relpath(path, folder / "set"))
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    shutil.rmtree(folder / "set")


def build_tar(folder: Path) -> None:
    (folder / "set").mkdir()
    build_coco(folder / "set")
    with tarfile.open(folder / "set.tar", "w") as archive:
        for path in _files(folder / "set"):
            info = tarfile.TarInfo(os.path.relpath(path, folder / "set"))
            info.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(info, file)
    shutil.rmtree(folder / "set")
