"""There and back through a real PACS: Orthanc with its DICOMweb plugin, which asks for a password."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGBaseline8Bit, RLELossless, generate_uid

from dentasam.data.dataset import Dataset
from dentasam.data.images.read import read_image
from dentasam.data.pacs.importing import import_dicomweb
from dentasam.data.pacs.store import store_files
from dentasam.errors import PacsError

from . import orthanc
from .dicom_instances import write_instance, write_segmentation

MISSING = orthanc.missing()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")

STUDY = generate_uid()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with orthanc.running(tmp_path_factory.mktemp("orthanc")) as address:
        yield address


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENTASAM_PACS_TOKEN", raising=False)
    monkeypatch.setenv("DENTASAM_PACS_USER", orthanc.USER)
    monkeypatch.setenv("DENTASAM_PACS_PASSWORD", orthanc.PASSWORD)


@pytest.fixture(scope="module")
def sent(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Five radiographs and another object, by what they are, stored in the PACS."""
    folder = tmp_path_factory.mktemp("sent")
    noise = np.random.default_rng(0).integers(0, 65536, (48, 80)).astype(np.uint16)
    gray = np.random.default_rng(1).integers(90, 160, (40, 72)).astype(np.uint8)
    files = {
        "12 bits": write_instance(folder / "12", study=STUDY, StudyDate="20240105", PatientID="A"),
        "16 bits": write_instance(folder / "16", pixels=noise, bits=16, StudyDate="20240220", PatientID="B"),
        "RLE": write_instance(folder / "rle", pixels=noise, bits=16, StudyDate="20240301", PatientID="C"),
        "JPEG": write_instance(folder / "jpeg", pixels=gray, bits=8, StudyDate="20250101", PatientID="C"),
        "intraoral": write_instance(folder / "io", Modality="IO", StudyDate="20230101", PatientID="D"),
        "CT": write_instance(folder / "ct", Modality="CT", StudyDate="20240105", PatientID="A"),
        "frames": write_instance(folder / "frames", NumberOfFrames=1, Modality="MR", PatientID="E"),
    }
    coded = pydicom.dcmread(files["RLE"])
    coded.compress(RLELossless, generate_instance_uid=False)
    coded.save_as(files["RLE"])
    _as_jpeg(files["JPEG"], gray)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENTASAM_PACS_USER", orthanc.USER)
        patch.setenv("DENTASAM_PACS_PASSWORD", orthanc.PASSWORD)
        report = store_files(url, list(files.values()))
    assert set(report.stored) == set(files.values())
    assert report.refused == ()
    return files


def _as_jpeg(path: Path, gray: np.ndarray) -> None:
    import cv2
    from pydicom.encaps import encapsulate

    coded = pydicom.dcmread(path)
    coded.PixelData = encapsulate([cv2.imencode(".jpg", gray)[1].tobytes()])
    coded["PixelData"].VR = "OB"
    coded.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    coded.save_as(path, enforce_file_format=True)


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def test_images_come_back_with_their_compression_and_pixels(url: str, sent: dict[str, Path], tmp_path: Path) -> None:
    lines: list[str] = []
    dataset = Dataset.load(import_dicomweb(url, tmp_path / "out", report=lines.append))
    radiographs = {uid_of(path): path for name, path in sent.items() if name not in ("CT", "frames")}
    assert {image.path.stem for image in dataset.images} == radiographs.keys()
    assert dataset.objects == 0
    for image in dataset.images:
        original = radiographs[image.path.stem]
        assert np.array_equal(image.read(), read_image(original))
        there, here = (pydicom.dcmread(path) for path in (original, image.path))
        assert here.file_meta.TransferSyntaxUID == there.file_meta.TransferSyntaxUID
        assert here.PixelData == there.PixelData
    assert lines == ["2 instances are left out: not radiographs (CT 1, MR 1); --filter Modality=CT takes it"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["Modality=IO"], {"intraoral"}),
        (["Modality=CT"], {"CT"}),
        (["00080060=PX", "PatientID=C"], {"RLE", "JPEG"}),
        (["StudyDate=20240101-20240229"], {"12 bits", "16 bits"}),
        (["StudyDate=20250101"], {"JPEG"}),
        ([f"StudyInstanceUID={STUDY}"], {"12 bits"}),
    ],
)
def test_filters_are_applied_by_the_server(
    url: str, sent: dict[str, Path], tmp_path: Path, filters: list[str], names: set[str]
) -> None:
    import_dicomweb(url, tmp_path / "out", filters)
    assert set(os.listdir(tmp_path / "out" / "images")) == {f"{uid_of(sent[name])}.dcm" for name in names}


def test_the_limit_and_a_second_import_into_the_folder(url: str, sent: dict[str, Path], tmp_path: Path) -> None:
    import_dicomweb(url, tmp_path / "out", ["Modality=PX"], limit=1)
    (first,) = (tmp_path / "out" / "images").iterdir()
    written = first.stat().st_mtime_ns
    dataset = Dataset.load(import_dicomweb(url, tmp_path / "out", ["Modality=PX"], resume=True))
    assert len(dataset.images) == 4
    assert first.stat().st_mtime_ns == written


def test_no_match_and_a_wrong_password_are_one_line(
    url: str, sent: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PacsError, match=r"no radiograph matches the filters \(PatientID\)"):
        import_dicomweb(url, tmp_path / "out", ["PatientID=nobody"])
    monkeypatch.setenv("DENTASAM_PACS_PASSWORD", "wrong")
    with pytest.raises(PacsError, match="refuses DENTASAM_PACS_USER and DENTASAM_PACS_PASSWORD"):
        import_dicomweb(url, tmp_path / "out")
    with pytest.raises(PacsError, match="refuses DENTASAM_PACS_USER and DENTASAM_PACS_PASSWORD"):
        store_files(url, [sent["CT"]])


def test_an_address_without_the_service_is_one_line(url: str, sent: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(PacsError, match=r"\(400\); see its log, and whether its path is /dicom-web"):
        import_dicomweb(url.removesuffix("/dicom-web"), tmp_path / "out")


def test_a_segmentation_comes_back_with_its_image_and_equal_frames(
    url: str, sent: dict[str, Path], tmp_path: Path
) -> None:
    highdicom = pytest.importorskip("highdicom")
    masks = np.zeros((3, 32, 64), bool)
    masks[0, 3:9, 5:20], masks[1, 8:21, 18:33], masks[2, 30, 63] = True, True, True
    written = write_segmentation(tmp_path / "seg.dcm", sent["12 bits"], masks)
    # Of another image in the same study: it does not belong to the import.
    other = write_instance(tmp_path / "other.dcm", study=STUDY, Modality="CT", PatientID="A", StudyDate="20240105")
    foreign = write_segmentation(tmp_path / "foreign.dcm", other, masks)
    assert len(store_files(url, [written, other, foreign]).stored) == 3
    lines: list[str] = []
    filters = [f"StudyInstanceUID={STUDY}"]
    import_dicomweb(url, tmp_path / "out", filters, with_seg=True, report=lines.append)
    assert os.listdir(tmp_path / "out" / "images") == [f"{uid_of(sent['12 bits'])}.dcm"]
    (path,) = (tmp_path / "out" / "segmentations").iterdir()
    assert path.name == f"{uid_of(written)}.dcm"
    assert pydicom.dcmread(path).PixelData == pydicom.dcmread(written).PixelData
    read = highdicom.seg.segread(path)
    frames = read.get_pixels_by_source_instance([uid_of(sent["12 bits"])])
    assert np.array_equal(frames[0].transpose(2, 0, 1).astype(bool), masks)
    assert lines[-1] == "1 DICOM SEG object of these images"


def test_a_damaged_file_is_refused_and_the_others_are_stored(url: str, tmp_path: Path) -> None:
    whole, cut = (write_instance(tmp_path / name, study=STUDY) for name in ("whole.dcm", "cut.dcm"))
    content = cut.read_bytes()
    cut.write_bytes(content[: content.index(b"\x20\x00\x0d\x00") + 90])
    report = store_files(url, [cut, whole])
    assert report.stored == (whole,)
    assert [refused.path for refused in report.refused] == [cut]
