"""DICOM segmentations: the golden bits, out and in again, files of other tools, and what is refused."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, features
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from dentasam.data.dataset import Category, Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats import dicom_seg
from dentasam.data.formats.dicom.capture import capture_bytes
from dentasam.data.formats.dicom.plane import Plane
from dentasam.data.formats.dicom.references import referred_header
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.images.read import read_image
from dentasam.data.teeth.numbering import Numbering
from dentasam.data.teeth.snomed import code_of
from dentasam.errors import DatasetError, ExtraError, ImageError

from ..coco_files import FILLING, HEIGHT, TOOTH, WIDTH, block, content, images, write
from ..images.dicom.dicom_files import write_dicom

highdicom = pytest.importorskip("highdicom")

MIXED = [[1, 1, 0, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
INNER = [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
RING = [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
GOLDEN = bytes([51, 51, 8, 24, 1, 78, 57, 0])


def radiograph(path: Path, height: int = HEIGHT, width: int = WIDTH, **elements: Any) -> Path:
    """A DICOM radiograph with the identity that a segmentation copies."""
    pixels = np.random.default_rng(1).integers(0, 4096, (height, width), dtype=np.uint16)
    identity = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1",
        "PatientName": "Müller^Änne",
        "PatientID": "P1",
        "PatientSex": "F",
        "PatientOrientation": ["L", "F"],
        "StudyDate": "20250102",
        "Modality": "PX",
        "SpecificCharacterSet": "ISO_IR 100",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_dicom(path, pixels, **(identity | elements))


def one_image(path: Path, masks: list[Any], names: list[str], height: int = HEIGHT, width: int = WIDTH) -> Dataset:
    objects = tuple(
        ObjectRecord.from_mask(number, name, np.asarray(mask, bool))
        for number, (mask, name) in enumerate(zip(masks, names, strict=True), start=1)
    )
    return Dataset(path.parent / "set.json", (ImageRecord(1, path, path.name, width, height, (), objects),))


def exported(tmp_path: Path) -> Path:
    """An export of one radiograph with a tooth and a filling over it."""
    dataset = one_image(radiograph(tmp_path / "in" / "a.dcm"), [TOOTH, FILLING], ["36", "restoration"])
    export_dataset("dicom-seg", dataset, tmp_path / "out")
    return tmp_path / "out"


def changed(path: Path, change: Callable[[pydicom.Dataset], object], **saved: Any) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path, **saved)


def objects_in(path: Path) -> list[tuple[str, np.ndarray]]:
    (image,) = Dataset.load(path).images
    return list(zip([record.category for record in image.objects], image.masks(), strict=True))


def same(found: list[tuple[str, np.ndarray]], names: list[str], masks: list[Any]) -> None:
    assert [name for name, _ in found] == names
    np.testing.assert_array_equal([mask for _, mask in found], np.asarray(masks, bool))


def test_the_bits_are_those_of_the_standard(tmp_path: Path) -> None:
    path = radiograph(tmp_path / "in" / "a.dcm", 4, 5)
    dataset = one_image(path, [MIXED, INNER, RING], ["11", "12", "13"], 4, 5)
    export_dataset("dicom-seg", dataset, tmp_path / "out")
    written = pydicom.dcmread(tmp_path / "out" / "segmentations" / "a.dcm")
    assert written.PixelData == GOLDEN
    assert (written.NumberOfFrames, written.Rows, written.Columns, written.BitsAllocated) == (3, 4, 5, 1)
    found = objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back"))
    same(found, ["11", "12", "13"], [MIXED, INNER, RING])


def test_a_segmentation_says_whose_image_it_is_of_and_codes_teeth(tmp_path: Path) -> None:
    out = exported(tmp_path)
    assert (out / "images" / "a.dcm").read_bytes() == (tmp_path / "in" / "a.dcm").read_bytes()
    written = pydicom.dcmread(out / "segmentations" / "a.dcm")
    assert (written.PatientID, str(written.PatientName), written.PatientSex) == ("P1", "Müller^Änne", "F")
    assert (written.StudyInstanceUID, written.StudyDate) == ("1.2.3", "20250102")
    assert list(written.PatientOrientation) == ["L", "F"]
    (series,) = written.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.1"
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    tooth, filling = written.SegmentSequence
    assert (tooth.SegmentLabel, tooth.SegmentAlgorithmType) == ("36", "MANUAL")
    (category,), (type,) = tooth.SegmentedPropertyCategoryCodeSequence, tooth.SegmentedPropertyTypeCodeSequence
    assert (category.CodeValue, category.CodingSchemeDesignator) == ("91723000", "SCT")
    assert (type.CodeValue, type.CodingSchemeDesignator) == ("866006002", "SCT")
    (category,), (type,) = filling.SegmentedPropertyCategoryCodeSequence, filling.SegmentedPropertyTypeCodeSequence
    assert category.CodeValue == "260787004"
    assert (type.CodeValue, type.CodingSchemeDesignator) == ("restoration", "99DENTASAM")


@pytest.mark.parametrize("tags", [True, False])
def test_images_that_are_not_dicom_are_captured(tmp_path: Path, tags: bool) -> None:
    coco = content()
    if not tags:
        del coco["images"][0]["tags"]
    before = Dataset.load(write(tmp_path / "source", coco))
    wide = np.random.default_rng(2).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    wide[0, :2] = 0, 65535
    Image.fromarray(wide).save(tmp_path / "source" / "images" / "deep" / "b.png")
    notes = export_dataset("dicom-seg", before, tmp_path / "out")
    assert notes == (("the tags of 1 image left out; coco keeps them",) if tags else ())
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.dcm")) == [
        "images/a.dcm",
        "images/deep/b.dcm",
        "segmentations/a.dcm",
    ]
    assert choose(None, [tmp_path / "out"])[0] == "dicom-seg"
    after = Dataset.load(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back"))
    assert [image.file_name for image in after.images] == ["images/a.dcm", "images/deep/b.dcm"]
    for old, new in zip(before.images, after.images, strict=True):
        np.testing.assert_array_equal(new.read(), old.read())
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


def test_two_objects_of_one_tooth_stay_two(tmp_path: Path) -> None:
    parts = [block(2, 3, 20, 9), block(2, 9, 20, 14), block(5, 5, 8, 12)]
    dataset = one_image(radiograph(tmp_path / "a.dcm"), parts, ["36", "36", "36"])
    export_dataset("dicom-seg", dataset, tmp_path / "out")
    same(objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back")), ["36"] * 3, parts)


def test_any_category_name(tmp_path: Path) -> None:
    names = ["../root / canal\\2", "Füllung%", " spaces ", "x" * 300, "a\nb", "歯", "implant"]
    masks = [block(index, index, 20 + index, 20) for index in range(len(names))]
    dataset = one_image(radiograph(tmp_path / "a.dcm"), masks, names)
    files: dict[str, bytes] = {}
    write_annotations("dicom-seg", dataset, files.__setitem__)
    (tmp_path / "a.seg.dcm").write_bytes(files["segmentations/a.dcm"])
    labels = [str(s.SegmentLabel) for s in pydicom.dcmread(tmp_path / "a.seg.dcm").SegmentSequence]
    assert labels[1] == "Füllung%"
    assert all(0 < len(label) <= 64 and "\\" not in label for label in labels)
    found = objects_in(import_dataset("dicom-seg", tmp_path / "a.seg.dcm", tmp_path / "back"))
    same(found, names, masks)


def test_a_supercategory_says_what_kind_of_thing_a_name_is(tmp_path: Path) -> None:
    dataset = one_image(radiograph(tmp_path / "a.dcm"), [TOOTH], ["amalgam"])
    dataset = Dataset(dataset.path, dataset.images, (Category(1, "amalgam", "restoration"),))
    files: dict[str, bytes] = {}
    write_annotations("dicom-seg", dataset, files.__setitem__)
    (tmp_path / "s.dcm").write_bytes(files["segmentations/a.dcm"])
    (segment,) = pydicom.dcmread(tmp_path / "s.dcm").SegmentSequence
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Physical object"


def test_numbers_that_may_not_be_fdi_get_no_codes(tmp_path: Path) -> None:
    dataset = one_image(radiograph(tmp_path / "a.dcm"), [TOOTH, FILLING], ["11", "3"])
    files: dict[str, bytes] = {}
    (note,) = write_annotations("dicom-seg", dataset, files.__setitem__)
    assert note.startswith("no codes of teeth written, since their numbers are not all FDI numbers")
    (tmp_path / "s.dcm").write_bytes(files["segmentations/a.dcm"])
    types = [s.SegmentedPropertyTypeCodeSequence[0] for s in pydicom.dcmread(tmp_path / "s.dcm").SegmentSequence]
    assert [type.CodingSchemeDesignator for type in types] == ["99DENTASAM"] * 2


@pytest.mark.parametrize(("numbering", "labels"), [("universal", ["19", "N"]), ("palmer", ["LL6", "LLB"])])
def test_codes_are_the_same_in_each_numbering(tmp_path: Path, numbering: str, labels: list[str]) -> None:
    path = radiograph(tmp_path / "a.dcm")
    masks, names = [TOOTH, FILLING, block(0, 0, 3, 3)], ["36", "72", "implant"]
    export_dataset("dicom-seg", one_image(path, masks, names), tmp_path / "out", Numbering(numbering))
    segments = pydicom.dcmread(tmp_path / "out" / "segmentations" / "a.dcm").SegmentSequence
    assert [segment.SegmentLabel for segment in segments] == [*labels, "implant"]
    codes = [segment.SegmentedPropertyTypeCodeSequence[0].CodeValue for segment in segments]
    assert codes == ["866006002", "14770005", "40388003"]
    same(objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back")), names, masks)


def test_a_dataset_that_states_universal_numbers(tmp_path: Path) -> None:
    path = radiograph(tmp_path / "a.dcm")
    dataset = one_image(path, [TOOTH, FILLING], ["14", "64"])
    dataset = Dataset(dataset.path, dataset.images, info={"numbering": "universal"})
    export_dataset("dicom-seg", dataset, tmp_path / "out")
    found = objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back"))
    same(found, ["26", "supernumerary"], [TOOTH, FILLING])


def test_the_same_objects_have_the_same_uids_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset.load(write(tmp_path / "source"))
    export_dataset("dicom-seg", dataset, tmp_path / "1")
    export_dataset("dicom-seg", dataset, tmp_path / "2")
    # Without a copy of the images, the capture is among the files of the annotations.
    in_memory: dict[str, bytes] = {}
    write_annotations("dicom-seg", dataset, in_memory.__setitem__)
    (tmp_path / "3.dcm").write_bytes(in_memory["segmentations/a.dcm"])
    assert in_memory["images/a.dcm"] == (tmp_path / "1" / "images" / "a.dcm").read_bytes()
    first, *others = (
        pydicom.dcmread(tmp_path / name) for name in ("1/segmentations/a.dcm", "2/segmentations/a.dcm", "3.dcm")
    )
    assert (tmp_path / "1" / "images" / "a.dcm").read_bytes() == (tmp_path / "2" / "images" / "a.dcm").read_bytes()
    clock = {"ContentDate", "ContentTime", "SeriesDate", "SeriesTime", "InstanceCreationDate", "InstanceCreationTime"}
    for other in others:
        differing = {element.keyword for element in first if element != other.get(element.tag)}
        assert differing <= clock | {"ContributingEquipmentSequence"}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    export_dataset("dicom-seg", dataset, tmp_path / "4")
    export_dataset("dicom-seg", dataset, tmp_path / "5")
    written = [tmp_path / name / "segmentations" / "a.dcm" for name in "45"]
    assert written[0].read_bytes() == written[1].read_bytes()
    assert pydicom.dcmread(written[0]).ContentDate == "20231114"


def test_how_an_object_came_about(tmp_path: Path) -> None:
    path = radiograph(tmp_path / "a.dcm")
    dataset = one_image(path, [TOOTH] * 4, ["36"] * 4)
    extras: list[dict[str, Any]] = [
        {},
        {"source": "manual"},
        {"source": "model", "model": {"name": "tiny"}},
        {"confidence": 0.9},
    ]
    (image,) = dataset.images
    objects = tuple(
        ObjectRecord(record.id, "36", record.segmentation, record.bbox, record.area, extra)
        for record, extra in zip(image.objects, extras, strict=True)
    )
    dataset = Dataset(dataset.path, (ImageRecord(1, path, "a.dcm", WIDTH, HEIGHT, (), objects),))
    files: dict[str, bytes] = {}
    write_annotations("dicom-seg", dataset, files.__setitem__)
    (tmp_path / "s.dcm").write_bytes(files["segmentations/a.dcm"])
    segments = pydicom.dcmread(tmp_path / "s.dcm").SegmentSequence
    assert [s.SegmentAlgorithmType for s in segments] == ["MANUAL", "MANUAL", "SEMIAUTOMATIC", "AUTOMATIC"]
    assert [s.get("SegmentAlgorithmName") for s in segments] == [None, None, "tiny", "dentasam"]


def test_viewers_are_given_a_nominal_plane(tmp_path: Path) -> None:
    radiograph(tmp_path / "a.dcm", ImagerPixelSpacing=[0.1, 0.12], FrameOfReferenceUID="1.2.3.7")
    radiograph(tmp_path / "b.dcm", SOPInstanceUID="1.2.3.5")
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(tmp_path / "c.png")
    expected: dict[str, list[float]] = {"a.dcm": [0.1, 0.12], "b.dcm": [1, 1], "c.png": [1, 1]}
    frames_of_reference = set()
    for name, measured in expected.items():
        out = tmp_path / f"out {name}"
        export_dataset("dicom-seg", one_image(tmp_path / name, [TOOTH, FILLING], ["36", "11"]), out)
        (path,) = (out / "segmentations").iterdir()
        written = pydicom.dcmread(path)
        shared = written.SharedFunctionalGroupsSequence[0]
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
        (measures,) = shared.PixelMeasuresSequence
        assert measures.PixelSpacing == measured
        assert (measures.SliceThickness, measures.SpacingBetweenSlices) == (1, 1)
        groups = written.PerFrameFunctionalGroupsSequence
        assert [group.PlanePositionSequence[0].ImagePositionPatient for group in groups] == [[0, 0, 0]] * 2
        assert written["PositionReferenceIndicator"].value in (None, "")
        frames_of_reference.add(written.FrameOfReferenceUID)
        # What highdicom's users get.
        masks = highdicom.seg.segread(path).get_stored_frames()
        np.testing.assert_array_equal(masks, [TOOTH, FILLING])
        volume = highdicom.seg.segread(path).get_volume()
        np.testing.assert_array_equal(np.moveaxis(volume.array[0], -1, 0), [TOOTH, FILLING])
        assert volume.spacing == (1, *measured)
    assert len(frames_of_reference) == 3
    assert "1.2.3.7" not in frames_of_reference


def test_segmentations_of_one_image_lie_in_one_frame_of_reference(tmp_path: Path) -> None:
    path = radiograph(tmp_path / "a.dcm")
    for name, mask in (("1", TOOTH), ("2", FILLING)):
        export_dataset("dicom-seg", one_image(path, [mask], ["36"]), tmp_path / name)
    first, second = (pydicom.dcmread(tmp_path / name / "segmentations" / "a.dcm") for name in "12")
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID


CORONAL = {"ImagePositionPatient": [5, 6.5, -7], "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}


@pytest.mark.parametrize(
    ("stated", "plane"),
    [
        (CORONAL, Plane((5, 6.5, -7), (1, 0, 0, 0, 0, -1))),
        ({**CORONAL, "FrameOfReferenceUID": "1.2.3.7"}, Plane((5, 6.5, -7), (1, 0, 0, 0, 0, -1), (1, 1), "1.2.3.7")),
        ({**CORONAL, "ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, Plane()),
        ({**CORONAL, "ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, Plane()),
        ({**CORONAL, "ImagePositionPatient": ("DS", b"5\\x\\7 ")}, Plane()),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, Plane()),
        ({"PixelSpacing": [0.1, 0.1]}, Plane()),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.1, 0.1]}, Plane(spacing=(0.1, 0.1))),
        ({"ImagerPixelSpacing": [0, 0]}, Plane()),
        ({"ImagerPixelSpacing": ("DS", b"nan\\inf ")}, Plane()),
        ({"SOPClassUID": SecondaryCaptureImageStorage, "PixelSpacing": [0.1, 0.2]}, Plane(spacing=(0.1, 0.2))),
        ({"SOPClassUID": SecondaryCaptureImageStorage, "ImagerPixelSpacing": [0.1, 0.2]}, Plane()),
        ({"SOPClassUID": ComputedRadiographyImageStorage, "PixelSpacing": [0.1, 0.2]}, Plane()),
        (
            {"SOPClassUID": ComputedRadiographyImageStorage, "ImagerPixelSpacing": [0.1, 0.2]},
            Plane(spacing=(0.1, 0.2)),
        ),
    ],
)
def test_the_plane_is_that_of_the_image(tmp_path: Path, stated: dict[str, Any], plane: Plane) -> None:
    path = radiograph(tmp_path / "a.dcm", **stated)
    image = ImageRecord(1, path, "a.dcm", WIDTH, HEIGHT)
    assert referred_header(image)[1] == plane
    export_dataset("dicom-seg", one_image(path, [TOOTH], ["36"]), tmp_path / "out")
    same(objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back")), ["36"], [TOOTH])
    written = pydicom.dcmread(tmp_path / "out" / "segmentations" / "a.dcm")
    (group,) = written.PerFrameFunctionalGroupsSequence
    assert tuple(group.PlanePositionSequence[0].ImagePositionPatient) == plane.position
    assert plane.frame_of_reference in ("", written.FrameOfReferenceUID)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    export_dataset("dicom-seg", Dataset.load(write(tmp_path / "source")), tmp_path / "captured")
    names = ["36", "restoration", "caries", "implant", "supernumerary", "a\\b" * 40]
    dataset = one_image(radiograph(tmp_path / "in" / "a.dcm"), [TOOTH] * len(names), names)
    export_dataset("dicom-seg", dataset, tmp_path / "of-dicom")
    files = [*(tmp_path / "captured").rglob("*.dcm"), *(tmp_path / "of-dicom" / "segmentations").iterdir()]
    assert len(files) == 4
    for path in files:
        done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        # The date of a study is unknown where its image is not DICOM, and the validator knows no private scheme.
        accepted = ("needed to build DICOMDIR", "Unrecognized defined term <99DENTASAM>")
        rest = [line for line in lines if not any(part in line for part in accepted)]
        assert rest in (["Segmentation"], ["SCImage"]), rest


def test_a_dicom_image_without_uids_is_captured(tmp_path: Path) -> None:
    path = radiograph(tmp_path / "in" / "a", SOPInstanceUID="", StudyInstanceUID="")
    dataset = one_image(path, [TOOTH], ["36"])
    export_dataset("dicom-seg", dataset, tmp_path / "out")
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "images" / "a.dcm"), read_image(path))
    same(objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back")), ["36"], [TOOTH])


def test_a_header_with_malformed_values_is_referred_to(tmp_path: Path) -> None:
    path = radiograph(tmp_path / "a.dcm", PatientSex="W", StudyDate=("DA", b"02.01.2025"), StudyTime=("TM", b"noon"))
    files: dict[str, bytes] = {}
    write_annotations("dicom-seg", one_image(path, [TOOTH], ["36"]), files.__setitem__)
    (tmp_path / "s.dcm").write_bytes(files["segmentations/a.dcm"])
    written = pydicom.dcmread(tmp_path / "s.dcm")
    assert (written.PatientID, written.PatientSex, written.StudyDate, written.StudyTime) == ("P1", "", "", "")


def test_images_of_one_stem_do_not_collide(tmp_path: Path) -> None:
    coco = content()
    coco["images"][1]["file_name"] = "images/a.tif"
    coco["annotations"].append({**coco["annotations"][0], "id": 9, "image_id": 2})
    source = write(tmp_path / "source", coco)
    Image.fromarray(images()["images/deep/b.png"]).save(tmp_path / "source" / "images" / "a.tif")
    before = Dataset.load(source)
    export_dataset("dicom-seg", before, tmp_path / "out")
    after = Dataset.load(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back"))
    assert [image.file_name for image in after.images] == ["images/a.png.dcm", "images/a.tif.dcm"]
    for old, new in zip(before.images, after.images, strict=True):
        np.testing.assert_array_equal(new.read(), old.read())
        np.testing.assert_array_equal(new.masks(), old.masks())


def test_without_highdicom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_seg, "find_spec", lambda name: None)
    with pytest.raises(ExtraError, match=r"pip install 'dentasam\[dicom\]'"):
        export_dataset("dicom-seg", Dataset.load(write(tmp_path / "source")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Files of other tools.


def foreign(path: Path, image: Path, masks: Any, kind: str, **elements: Any) -> Path:
    """A segmentation as highdicom's users write it; teeth are coded, and labelled in words."""
    from pydicom.sr.coding import Code

    count = int(masks.max()) if kind == "LABELMAP" else masks.shape[-1]
    numbers = ["36", "11", "85"][:count]
    described = [
        highdicom.seg.SegmentDescription(
            number,
            f"Zahn {tooth}",
            Code("91723000", "SCT", "Anatomical Structure"),
            Code(code_of(tooth)[0], "SCT", "a tooth"),  # type: ignore[index]
            "MANUAL",
        )
        for number, tooth in enumerate(numbers, start=1)
    ]
    source = pydicom.dcmread(image)
    for keyword in ("AccessionNumber", "StudyID", "StudyTime", "PatientBirthDate", "ReferringPhysicianName"):
        if keyword not in source:
            setattr(source, keyword, None)
    dataset = highdicom.seg.Segmentation(
        [source],
        masks,
        kind,
        described,
        series_instance_uid="1.2.9",
        series_number=1,
        sop_instance_uid="1.2.9.1",
        instance_number=1,
        manufacturer="other",
        manufacturer_model_name="other",
        software_versions="1",
        device_serial_number="1",
        **elements,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


STACK = np.stack([TOOTH, FILLING], axis=-1)[None].astype(np.uint8)


def test_a_file_of_another_tool_beside_its_image(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "study" / "1.2.3.4")
    foreign(tmp_path / "study" / "seg", image, STACK, "BINARY")
    assert all(choose(None, [p])[0] == "dicom-seg" for p in (tmp_path / "study", tmp_path / "study" / "seg"))
    assert not dicom_seg.recognises(image)
    path = import_dataset("dicom-seg", tmp_path / "study", tmp_path / "back")
    same(objects_in(path), ["36", "11"], [TOOTH, FILLING])


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", str(RLELossless)])
def test_fractions_are_cut_at_half(tmp_path: Path, syntax: str) -> None:
    image = radiograph(tmp_path / "a.dcm")
    shares = np.where(STACK, 0.6, 0.4).astype(np.float32)
    foreign(tmp_path / "s.dcm", image, shares, "FRACTIONAL", transfer_syntax_uid=syntax)
    lines: list[str] = []
    path = import_dataset("dicom-seg", tmp_path, tmp_path / "back", ImportOptions(report=lines.append))
    same(objects_in(path), ["36", "11"], [TOOTH, FILLING])
    assert lines == [f"{tmp_path}/s.dcm has fractions between 0 and 1; they were cut at half"]


def test_a_label_map(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    labels = (TOOTH * 1 + block(0, 40, 5, 50) * 2).astype(np.uint8)[None]
    foreign(tmp_path / "s.dcm", image, labels, "LABELMAP")
    found = objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back"))
    same(found, ["36", "11"], [TOOTH, block(0, 40, 5, 50)])


def test_a_deflated_file(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")

    def deflated(dataset: pydicom.Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    changed(tmp_path / "s.dcm", deflated)
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "11"], [TOOTH, FILLING])


def test_an_implicit_file(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    foreign(tmp_path / "s.dcm", image, STACK, "BINARY", transfer_syntax_uid=ImplicitVRLittleEndian)
    assert pydicom.dcmread(tmp_path / "s.dcm").file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "11"], [TOOTH, FILLING])


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_a_big_endian_file(tmp_path: Path, vr: str) -> None:
    """PS3.5 8.1.1: bits follow each other from the lowest of a byte, or of a word, whose bytes then change places."""
    image = radiograph(tmp_path / "a.dcm")
    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    dataset = pydicom.dcmread(tmp_path / "s.dcm")
    if vr == "OW":
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset["PixelData"].VR = vr
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(tmp_path / "s.dcm", dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "11"], [TOOTH, FILLING])


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow was built without JPEG 2000")
def test_frames_in_jpeg_2000(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    foreign(tmp_path / "s.dcm", image, STACK.astype(np.float32), "FRACTIONAL")
    frames: list[bytes] = []
    for mask in (TOOTH, FILLING):
        file = BytesIO()
        Image.fromarray(mask.astype(np.uint8) * 255).save(file, "JPEG2000", irreversible=False, no_jp2=True)
        frames.append(file.getvalue())
    dataset = pydicom.dcmread(tmp_path / "s.dcm")
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.save_as(tmp_path / "s.dcm")
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "11"], [TOOTH, FILLING])


def test_an_enhanced_image_of_one_frame(tmp_path: Path) -> None:
    group = pydicom.Dataset()
    path = radiograph(tmp_path / "in" / "a.dcm", NumberOfFrames=1, SharedFunctionalGroupsSequence=[group])
    export_dataset("dicom-seg", one_image(path, [TOOTH], ["36"]), tmp_path / "out")
    same(objects_in(import_dataset("dicom-seg", tmp_path / "out", tmp_path / "back")), ["36"], [TOOTH])


def test_two_files_for_one_image_are_two_results(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    foreign(tmp_path / "t.dcm", image, STACK[..., :1], "BINARY")
    after = Dataset.load(import_dataset("dicom-seg", tmp_path, tmp_path / "back"))
    assert [image.file_name for image in after.images] == ["images/a.dcm"] * 2
    assert [[item.category for item in image.objects] for image in after.images] == [["36", "11"], ["36"]]


def test_a_file_without_meta_header(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    dataset = pydicom.dcmread(tmp_path / "s.dcm")
    del dataset.file_meta
    dataset.save_as(tmp_path / "s.dcm", enforce_file_format=False, implicit_vr=False, little_endian=True)
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "11"], [TOOTH, FILLING])


def test_older_codes_and_teeth_coded_as_a_region(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")

    def older(dataset: pydicom.Dataset) -> None:
        first, second = dataset.SegmentSequence
        first.SegmentedPropertyTypeCodeSequence[0].CodeValue = "89625000"  # 36 before 2025
        region = pydicom.Dataset()
        region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "74344005", "SCT", "Tooth 38"
        second.AnatomicRegionSequence = [region]
        second.SegmentedPropertyTypeCodeSequence[0].CodeValue = "38199008"

    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    changed(tmp_path / "s.dcm", older)
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "38"], [TOOTH, FILLING])


def test_labels_where_no_code_says_the_tooth(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")

    def uncoded(dataset: pydicom.Dataset) -> None:
        for segment, label in zip(dataset.SegmentSequence, ("tooth 46", ""), strict=True):
            segment.SegmentLabel = label
            segment.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator = "99X"

    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    changed(tmp_path / "s.dcm", uncoded)
    found = objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back"))
    same(found, ["46", "a tooth"], [TOOTH, FILLING])


@pytest.mark.parametrize("numbering", list(Numbering))
def test_a_chosen_numbering_concerns_labels_without_codes_only(tmp_path: Path, numbering: Numbering) -> None:
    """11 is the upper right incisor by its code, whatever the labels of other segments are in."""
    image = radiograph(tmp_path / "a.dcm")
    label = {"fdi": "26", "universal": "14", "palmer": "UL6"}[numbering]

    def uncoded(dataset: pydicom.Dataset) -> None:
        first = dataset.SegmentSequence[0]
        first.SegmentLabel = label
        first.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator = "99X"

    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    changed(tmp_path / "s.dcm", uncoded)
    lines: list[str] = []
    options = ImportOptions(numbering=numbering, report=lines.append)
    same(
        objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back", options)), ["26", "11"], [TOOTH, FILLING]
    )
    told = f"--numbering {numbering} applies to labels only; a tooth with a code is what that says"
    assert lines == ([] if numbering is Numbering.fdi else [told])


def test_a_chosen_numbering_where_there_are_no_codes(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")

    def uncoded(dataset: pydicom.Dataset) -> None:
        for segment, label in zip(dataset.SegmentSequence, ("11", "implant"), strict=True):
            segment.SegmentLabel = label
            segment.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator = "99X"

    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    changed(tmp_path / "s.dcm", uncoded)
    options = ImportOptions(numbering=Numbering.universal)
    path = import_dataset("dicom-seg", tmp_path, tmp_path / "back", options)
    same(objects_in(path), ["23", "implant"], [TOOTH, FILLING])


def test_a_segment_without_pixels_is_named(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")
    masks = np.concatenate([STACK, np.zeros_like(STACK[..., :1])], axis=-1)
    lines: list[str] = []
    foreign(tmp_path / "1" / "s.dcm", image, masks, "BINARY", omit_empty_frames=True)
    shutil.copyfile(image, tmp_path / "1" / "a.dcm")
    foreign(tmp_path / "2" / "s.dcm", image, masks, "BINARY", omit_empty_frames=False)
    shutil.copyfile(image, tmp_path / "2" / "a.dcm")
    for name in "12":
        options = ImportOptions(report=lines.append)
        path = import_dataset("dicom-seg", tmp_path / name, tmp_path / f"back{name}", options)
        same(objects_in(path), ["36", "11"], [TOOTH, FILLING])
    assert lines == [
        f"{tmp_path}/1/s.dcm: 1 segment ('85') without a frame left out",
        f"{tmp_path}/2/s.dcm: 1 segment ('85') without pixels left out",
    ]


def test_frames_without_derivation_belong_to_the_one_image(tmp_path: Path) -> None:
    image = radiograph(tmp_path / "a.dcm")

    def bare(dataset: pydicom.Dataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            del group.DerivationImageSequence

    foreign(tmp_path / "s.dcm", image, STACK, "BINARY")
    changed(tmp_path / "s.dcm", bare)
    same(objects_in(import_dataset("dicom-seg", tmp_path, tmp_path / "back")), ["36", "11"], [TOOTH, FILLING])


def test_the_images_of_a_labelling_server(tmp_path: Path) -> None:
    """They have no source folder, and may be the PNG files of which captures were made."""
    source = write(tmp_path / "source")
    export_dataset("dicom-seg", Dataset.load(source), tmp_path / "out")
    path = tmp_path / "source" / "images" / "a.png"
    known = SourceImages([SourceImage("a.png", path, (HEIGHT, WIDTH))], "the worklist")
    contents = dicom_seg.read(tmp_path / "out", known, ReadOptions(tmp_path / "scratch"))
    (record,) = contents.records
    assert contents.numbering is Numbering.fdi
    loaded = record.load()
    assert (loaded.file_name, loaded.path) == ("a.png", path)
    assert [item.category for item in loaded.objects] == ["36", "restoration", "11"]
    Image.fromarray(images()["images/deep/b.png"]).save(path)
    (record,) = dicom_seg.read(tmp_path / "out", known, ReadOptions(tmp_path / "scratch")).records
    with pytest.raises(DatasetError, match=r"is not in the worklist; put the DICOM file there"):
        record.load()


def test_images_elsewhere(tmp_path: Path) -> None:
    out = exported(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (out / "images" / "a.dcm").rename(tmp_path / "elsewhere" / "renamed.dcm")
    with pytest.raises(DatasetError, match=r"a\.dcm: its image \(SOP Instance UID 1\.2\.3\.4\) is not in .*--images"):
        import_dataset("dicom-seg", out, tmp_path / "back")
    options = ImportOptions(images=tmp_path / "elsewhere")
    path = import_dataset("dicom-seg", out, tmp_path / "back", options)
    same(objects_in(path), ["36", "restoration"], [TOOTH, FILLING])


def _without(keyword: str) -> Callable[[pydicom.Dataset], object]:
    return lambda dataset: dataset.__delitem__(keyword)


def _with(keyword: str, value: object) -> Callable[[pydicom.Dataset], object]:
    return lambda dataset: setattr(dataset, keyword, value)


def _other_segment(dataset: pydicom.Dataset) -> None:
    group = dataset.PerFrameFunctionalGroupsSequence[1]
    group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9


def _other_image(dataset: pydicom.Dataset) -> None:
    source = dataset.PerFrameFunctionalGroupsSequence[1].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = "1.2.3.5"


def _two_images(dataset: pydicom.Dataset) -> None:
    derived = dataset.PerFrameFunctionalGroupsSequence[1].DerivationImageSequence[0]
    second = pydicom.Dataset()
    second.ReferencedSOPInstanceUID = "1.2.3.5"
    derived.SourceImageSequence.append(second)


def _twice(dataset: pydicom.Dataset) -> None:
    dataset.SegmentSequence[1].SegmentNumber = 1


BENT: dict[str, Callable[[pydicom.Dataset], object]] = {
    "no segments": _without("SegmentSequence"),
    "no frames": _without("PerFrameFunctionalGroupsSequence"),
    "no pixels": _without("PixelData"),
    "no type": _without("SegmentationType"),
    "unknown type": _with("SegmentationType", "SURFACE"),
    "no rows": _without("Rows"),
    "other size": _with("Rows", HEIGHT // 2),
    "larger": _with("Rows", HEIGHT * 2),
    "too many frames": _with("NumberOfFrames", 1_000_000),
    "negative frames": _with("NumberOfFrames", -3),
    "cut pixels": _with("PixelData", b"\0\0"),
    "another class": _with("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"),
    "unknown segment": _other_segment,
    "unknown image": _other_image,
    "two images": _two_images,
    "a number twice": _twice,
    "other bits": _with("BitsAllocated", 3),
}


@pytest.mark.parametrize("bend", BENT)
def test_bent_files_are_one_line(tmp_path: Path, bend: str) -> None:
    out = exported(tmp_path)
    changed(out / "segmentations" / "a.dcm", BENT[bend])
    with pytest.raises((DatasetError, ImageError)) as caught:
        import_dataset("dicom-seg", out, tmp_path / "back")
    line = str(caught.value)
    assert "; " in line
    assert "\n" not in line
    assert "a.dcm" in line or bend == "another class"
    assert not (tmp_path / "back" / "dataset.json").exists()


def test_a_cut_file_is_one_line_wherever_it_is_cut(tmp_path: Path) -> None:
    out = exported(tmp_path)
    path = out / "segmentations" / "a.dcm"
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:place])
        with pytest.raises((DatasetError, ImageError)) as caught:
            import_dataset("dicom-seg", path, tmp_path / f"back{place}", ImportOptions(images=out / "images"))
        assert "a.dcm" in str(caught.value)
        assert "; " in str(caught.value)
        assert "\n" not in str(caught.value)


def test_bad_files_are_left_out_where_the_user_says_so(tmp_path: Path) -> None:
    out = exported(tmp_path)
    radiograph(out / "images" / "b.dcm", SOPInstanceUID="1.2.3.9")
    (out / "segmentations" / "b.dcm").write_bytes((out / "segmentations" / "a.dcm").read_bytes()[:900])
    radiograph(out / "images" / "c.dcm", SOPInstanceUID="1.2.3.8")
    lines: list[str] = []
    path = import_dataset("dicom-seg", out, tmp_path / "back", ImportOptions(skip_bad=lines.append))
    assert [image.file_name for image in Dataset.load(path).images] == ["images/a.dcm", "images/c.dcm"]
    assert len(lines) == 1
    assert "segmentations/b.dcm" in lines[0]


def test_a_folder_without_segmentation(tmp_path: Path) -> None:
    radiograph(tmp_path / "in" / "a.dcm")
    with pytest.raises(DatasetError, match="in holds no DICOM segmentation; name a SEG file"):
        import_dataset("dicom-seg", tmp_path / "in", tmp_path / "1")
    with pytest.raises(DatasetError, match=r"a\.dcm is not a DICOM segmentation; name a SEG file"):
        import_dataset("dicom-seg", tmp_path / "in" / "a.dcm", tmp_path / "2")


def test_two_images_of_one_uid(tmp_path: Path) -> None:
    out = exported(tmp_path)
    shutil.copyfile(out / "images" / "a.dcm", out / "images" / "b.dcm")
    # That of the segmentation's name is taken; the other has no segmentation.
    after = Dataset.load(import_dataset("dicom-seg", out, tmp_path / "back"))
    assert [len(image.objects) for image in after.images] == [2, 0]
    os.rename(out / "images" / "a.dcm", out / "images" / "c.dcm")
    with pytest.raises(DatasetError, match=r"may be images/b\.dcm and images/c\.dcm, which have one UID; remove"):
        import_dataset("dicom-seg", out, tmp_path / "back2")


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(1, 13))))
@example(np.ones((3, 1, 1), bool))
@example(np.ones((2, 1, 5), bool))
def test_masks_of_any_size_come_back(tmp_path_factory: pytest.TempPathFactory, drawn: np.ndarray) -> None:
    masks, (_, height, width) = drawn.copy(), drawn.shape
    masks[:, -1, -1] |= ~masks.any(axis=(1, 2))
    folder = tmp_path_factory.mktemp("masks")
    path = folder / "a.png"
    Image.fromarray(np.zeros((height, width), np.uint8)).save(path)
    names = ["36", "11", "a", "36"][: len(masks)]
    export_dataset("dicom-seg", one_image(path, list(masks), names, height, width), folder / "out")
    bits = np.packbits(masks, bitorder="little").tobytes()
    written = pydicom.dcmread(folder / "out" / "segmentations" / "a.dcm")
    assert written.PixelData == bits + b"\0" * (len(bits) % 2)
    same(objects_in(import_dataset("dicom-seg", folder / "out", folder / "back")), names, list(masks))


def test_a_capture_keeps_its_pixels(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.uint16):
        full = np.iinfo(dtype).max
        pixels = np.array([[0, 1, full], [full // 2, 7, full - 1]], dtype)
        (tmp_path / "a.dcm").write_bytes(capture_bytes(pixels, "a"))
        np.testing.assert_array_equal(read_image(tmp_path / "a.dcm"), pixels)


def test_the_command(tmp_path: Path, dentasam: Any) -> None:
    source = write(tmp_path / "source")
    done = dentasam("data", "export", source, "--format", "dicom-seg", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    done = dentasam("data", "import", tmp_path / "out", "--out", tmp_path / "back")
    assert done.returncode == 0, done.stderr
    assert "read as dicom-seg" in done.stdout
    assert len(json.loads((tmp_path / "back" / "dataset.json").read_text())["annotations"]) == 3
