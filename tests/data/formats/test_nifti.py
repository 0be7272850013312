"""NIfTI label volumes: the axes, out and in again, files of other tools, and what is refused."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats import nifti
from dentasam.data.formats.codecs.nifti_volume import read_volume, volume_bytes
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ExtraError, ImageError

from ..coco_files import HEIGHT, TOOTH, WIDTH, block, compressed, content, images, write
from ..images.dicom.dicom_files import write_dicom

nibabel = pytest.importorskip("nibabel")

OTHER = block(32, 2, 38, 9)
# As ITK, 3D Slicer and ITK-SNAP write a picture.
PLAIN = np.diag([-1.0, -1.0, 1.0, 1.0])


def disjoint() -> dict[str, Any]:
    coco = content()
    coco["annotations"] = [
        {"id": 3, "image_id": 1, "category_id": 36, "segmentation": compressed(block(2, 3, 20, 9))},
        {"id": 8, "image_id": 1, "category_id": 36, "segmentation": compressed(block(2, 9, 20, 14))},
        {"id": 9, "image_id": 2, "category_id": 99, "segmentation": compressed(TOOTH)},
    ]
    return coco


def volume(path: Path, array: np.ndarray, affine: np.ndarray | None = PLAIN) -> Path:
    """A volume as nibabel's users write it; array: x first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine, dtype=array.dtype), path)
    return path


def folder(tmp_path: Path, array: np.ndarray | None = None, **given: Any) -> Path:
    """A radiograph `a.png` and labels 36 and 11 for it, as another tool writes them."""
    source = tmp_path / "in"
    (source / "images").mkdir(parents=True)
    Image.fromarray(images()["images/a.png"]).save(source / "images" / "a.png")
    labels = (TOOTH * 36 + OTHER * 11).astype(np.uint8)
    volume(source / "labels" / "a.nii.gz", labels.T[..., None] if array is None else array, **given)
    return source


def found(path: Path) -> list[tuple[str, np.ndarray]]:
    (image,) = Dataset.load(path).images
    return list(zip([record.category for record in image.objects], image.masks(), strict=True))


def same(objects: list[tuple[str, np.ndarray]], names: list[str], masks: list[np.ndarray]) -> None:
    assert [name for name, _ in objects] == names
    np.testing.assert_array_equal([mask for _, mask in objects], masks)


def test_out_and_in_again(tmp_path: Path) -> None:
    before = Dataset.load(write(tmp_path / "source", disjoint()))
    assert export_dataset("nifti", before, tmp_path / "out") == ()
    assert choose(None, [tmp_path / "out"])[0] == "nifti"
    after = Dataset.load(import_dataset("nifti", tmp_path / "out", tmp_path / "back"))
    for old, new in zip(before.images, after.images, strict=True):
        assert (new.file_name, new.tags) == (old.file_name, old.tags)
        assert new.path.read_bytes() == old.path.read_bytes()
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


def test_what_is_written(tmp_path: Path) -> None:
    export_dataset("nifti", Dataset.load(write(tmp_path / "source", disjoint())), tmp_path / "out")
    written = nibabel.load(tmp_path / "out" / "labels" / "a.nii.gz")
    assert (written.shape, written.get_data_dtype()) == ((WIDTH, HEIGHT, 1), np.uint8)
    np.testing.assert_array_equal(written.affine, PLAIN)
    # Column 3 to 8 of the picture, rows 2 to 19.
    voxels = np.asarray(written.dataobj)
    assert (voxels[3:9, 2:20, 0] == 1).all()
    assert (voxels == 1).sum() == 6 * 18
    names = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert names == {"numbering": "fdi", "a.png": {"1": "36", "2": "36"}, "deep/b.png": {"1": "restoration"}}


def test_spacing_and_many_objects(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", np.zeros((HEIGHT, WIDTH), np.uint16), PixelSpacing=["0.1", "0.1"])
    masks = [np.zeros((HEIGHT, WIDTH), bool) for _ in range(300)]
    for index, mask in enumerate(masks):
        mask[index // WIDTH, index % WIDTH] = True
    objects = tuple(ObjectRecord.from_mask(index + 1, "36", mask) for index, mask in enumerate(masks))
    image = ImageRecord(1, tmp_path / "a.dcm", "a.dcm", WIDTH, HEIGHT, (), objects)
    export_dataset("nifti", Dataset(tmp_path / "set.json", (image,)), tmp_path / "out")
    written = nibabel.load(tmp_path / "out" / "labels" / "a.nii.gz")
    assert written.get_data_dtype() == np.uint16
    np.testing.assert_allclose(written.affine, np.diag([-0.1, -0.1, 1, 1]), rtol=1e-6)
    same(found(import_dataset("nifti", tmp_path / "out", tmp_path / "back")), ["36"] * 300, masks)


def test_overlap_is_reported_as_in_labels(tmp_path: Path) -> None:
    dataset = Dataset.load(write(tmp_path / "source"))
    (note,) = export_dataset("nifti", dataset, tmp_path / "out")
    assert note == "of 3 objects 2 lost pixels to overlap and 0 vanished; the format png keeps them"
    assert export_dataset("labels", dataset, tmp_path / "labels") == (note,)


def test_the_same_masks_give_the_same_bytes() -> None:
    labels = (TOOTH * 3).astype(np.uint8)
    assert volume_bytes(labels, 0.1) == volume_bytes(labels, 0.1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_values_are_fdi_numbers_where_nothing_names_them(tmp_path: Path, dtype: type, suffix: str) -> None:
    source = folder(tmp_path)
    (source / "labels" / "a.nii.gz").unlink()
    volume(source / "labels" / f"a{suffix}", (TOOTH * 36 + OTHER * 11).T.astype(dtype))
    path = import_dataset("nifti", source, tmp_path / "back")
    same(found(path), ["11", "36"], [OTHER, TOOTH])


def test_two_volumes_of_one_image_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path)
    volume(source / "labels" / "a.nii", (TOOTH * 36).T.astype(np.uint8))
    with pytest.raises(DatasetError, match=r"labels/a\.nii and a\.nii\.gz are labels of one image; take one of them"):
        import_dataset("nifti", source, tmp_path / "back")


@pytest.mark.parametrize("kind", ["identity", "none", "qform", "reoriented", "coronal", "coronal reoriented"])
def test_the_affine(tmp_path: Path, kind: str) -> None:
    array = (TOOTH * 36 + OTHER * 11).T.astype(np.uint8)[..., None]  # (W, H, 1)
    affine: np.ndarray | None = PLAIN
    if kind == "identity":
        affine = np.eye(4)
    elif kind == "reoriented":
        image = nibabel.as_closest_canonical(nibabel.Nifti1Image(array, np.diag([-0.1, -0.1, 1, 1])))
        array, affine = np.asarray(image.dataobj), image.affine
        assert (affine[0, 0], affine[1, 1]) == (0.1, 0.1)
    elif kind.startswith("coronal"):
        # The picture's rows run from the head to the feet.
        affine = np.array([[-1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
        if kind == "coronal reoriented":
            array = array[::-1, ::-1]
            affine = np.array([[1, 0, 0, 1 - WIDTH], [0, 0, 1, 0], [0, 1, 0, 1 - HEIGHT], [0, 0, 0, 1.0]])
    source = folder(tmp_path, array, affine=affine)
    if kind in ("none", "qform"):
        image = nibabel.Nifti1Image(array, None if kind == "none" else PLAIN)
        image.set_sform(None if kind == "qform" else np.eye(4), code=0)
        image.set_qform(PLAIN, code=0 if kind == "none" else 1)
        nibabel.save(image, source / "labels" / "a.nii.gz")
    same(found(import_dataset("nifti", source, tmp_path / "back")), ["11", "36"], [OTHER, TOOTH])


def test_names_of_itk_snap(tmp_path: Path) -> None:
    source = folder(tmp_path)
    lines = [
        "################################################",
        "# ITK-SnAP Label Description File",
        "################################################",
        '    0     0    0    0        0  0  0    "Clear Label"',
        '   36   255    0    0        1  1  1    "tooth 46"',
        '   11     0  255    0        0.5  1  1    "Füllung"',
    ]
    (source / "notes.txt").write_text("nothing of this kind")
    (source / "snap.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = import_dataset("nifti", source, tmp_path / "back")
    same(found(path), ["Füllung", "46"], [OTHER, TOOTH])


def test_one_list_of_names_for_all_images(tmp_path: Path) -> None:
    source = folder(tmp_path)
    (source / "labels.json").write_text('{"36": "crown", "11": "root"}')
    same(found(import_dataset("nifti", source, tmp_path / "back")), ["root", "crown"], [OTHER, TOOTH])
    (source / "labels.json").write_text('{"36": "crown"}')
    with pytest.raises(DatasetError, match=r"labels\.json: value 11 of a\.png has no category; add it there"):
        import_dataset("nifti", source, tmp_path / "back2")


def test_a_single_volume_beside_its_image(tmp_path: Path) -> None:
    source = folder(tmp_path)
    (source / "labels" / "a.nii.gz").rename(source / "images" / "a.nii.gz")
    assert choose(None, [source / "images" / "a.nii.gz"])[0] == "nifti"
    path = import_dataset("nifti", source / "images" / "a.nii.gz", tmp_path / "back")
    same(found(path), ["11", "36"], [OTHER, TOOTH])


def test_images_without_labels_are_left_out(tmp_path: Path) -> None:
    source = folder(tmp_path)
    Image.fromarray(images()["images/a.png"]).save(source / "images" / "b.png")
    lines: list[str] = []
    path = import_dataset("nifti", source, tmp_path / "back", ImportOptions(report=lines.append))
    assert [image.file_name for image in Dataset.load(path).images] == ["images/a.png"]
    assert lines == ["1 image without a label volume left out"]


@pytest.mark.parametrize(
    ("low", "high", "dtype", "expected", "scaled"),
    [
        (0, 255, np.uint8, np.uint8, False),
        (0, 200, np.int16, np.uint8, False),
        (0, 65535, np.uint16, np.uint16, False),
        (0, 40000, np.float32, np.uint16, False),
        (-1000, 3000, np.int16, np.uint16, True),
        (0, 1, np.float64, np.uint16, True),
    ],
)
def test_radiographs_in_volumes(
    tmp_path: Path, low: int, high: int, dtype: type, expected: type, scaled: bool
) -> None:
    source = folder(tmp_path)
    (source / "images" / "a.png").unlink()
    values = np.linspace(low, high, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    values = values if scaled else np.round(values)
    volume(source / "images" / "a.nii.gz", values.T.astype(dtype)[..., None])
    lines: list[str] = []
    path = import_dataset("nifti", source, tmp_path / "back", ImportOptions(report=lines.append))
    (image,) = Dataset.load(path).images
    assert image.file_name == "images/a.png"
    pixels = np.asarray(Image.open(image.path))
    assert pixels.dtype == expected
    if scaled:
        assert (pixels[0, 0], pixels[-1, -1]) == (0, 65535)
        assert len(lines) == 1
        assert lines[0].endswith(f"has values from {low} to {high}, which were scaled to 16 bits")
    else:
        np.testing.assert_array_equal(pixels, values)
        assert lines == []
    same(found(path), ["11", "36"], [OTHER, TOOTH])


def test_the_images_of_a_labelling_server(tmp_path: Path) -> None:
    export_dataset("nifti", Dataset.load(write(tmp_path / "source", disjoint())), tmp_path / "out")
    known = SourceImages([SourceImage("a.png", tmp_path / "none.png", (HEIGHT, WIDTH))], "the worklist")
    first, second = nifti.read(tmp_path / "out", known, ReadOptions(tmp_path / "scratch")).records
    assert [item.category for item in first.load().objects] == ["36", "36"]
    with pytest.raises(DatasetError, match=r"its image 'deep/b.*' is not in the worklist"):
        second.load()


def test_annotations_without_images(tmp_path: Path) -> None:
    record = ObjectRecord.from_mask(4, "36", TOOTH)
    image = ImageRecord(1, tmp_path / "none.png", "sub/a.png", WIDTH, HEIGHT, ("blurred",), (record,))
    files: dict[str, bytes] = {}
    assert write_annotations("nifti", Dataset(tmp_path, (image,)), files.__setitem__) == ()
    assert sorted(files) == ["labels.json", "labels/sub/a.nii.gz", "tags.json"]


def test_universal_numbers_are_marked(tmp_path: Path) -> None:
    numbers = [str(number) for number in (*range(11, 19), *range(31, 39))]
    objects = tuple(
        ObjectRecord.from_mask(index + 1, name, block(index, 0, index + 1, 9)) for index, name in enumerate(numbers)
    )
    path = write(tmp_path / "source").parent / "images" / "a.png"
    dataset = Dataset(tmp_path, (ImageRecord(1, path, "a.png", WIDTH, HEIGHT, (), objects),))
    export_dataset("nifti", dataset, tmp_path / "out", Numbering.universal)
    names = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert (names["numbering"], names["a.png"]["1"]) == ("universal", "8")
    back = import_dataset("nifti", tmp_path / "out", tmp_path / "back")
    assert [name for name, _ in found(back)] == numbers


def test_without_nibabel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, dataset = folder(tmp_path), Dataset.load(write(tmp_path / "source"))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ExtraError, match=r"pip install 'dentasam\[nifti\]'"):
        import_dataset("nifti", source, tmp_path / "back")
    with pytest.raises(ExtraError, match=r"pip install 'dentasam\[nifti\]'"):
        export_dataset("nifti", dataset, tmp_path / "out")


LABELS = (TOOTH * 36).T.astype(np.uint8)[..., None]


def _turned() -> np.ndarray:
    turned = np.eye(4)
    turned[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    return turned


BENT: dict[str, Callable[[Path], object]] = {
    "stack": lambda path: volume(path, np.concatenate([LABELS, LABELS], axis=2)),
    "one dimension": lambda path: volume(path, LABELS.reshape(-1)),
    "other size": lambda path: volume(path, LABELS[1:]),
    "not transposed": lambda path: volume(path, LABELS.transpose(1, 0, 2)),
    "fractions": lambda path: volume(path, LABELS.astype(np.float32) / 7),
    "nan": lambda path: volume(path, np.where(LABELS > 0, np.nan, 0).astype(np.float32)),
    "infinite": lambda path: volume(path, np.where(LABELS > 0, np.inf, 0)),
    "negative": lambda path: volume(path, -LABELS.astype(np.int16)),
    "huge": lambda path: volume(path, LABELS.astype(np.float64) * 1e18),
    "complex": lambda path: volume(path, LABELS.astype(np.complex64)),
    "rotated": lambda path: volume(path, LABELS, _turned()),
    "colours": lambda path: volume(path, np.zeros((WIDTH, HEIGHT, 1), [("R", "u1"), ("G", "u1"), ("B", "u1")])),
    "empty file": lambda path: path.write_bytes(b""),
    "not gzip": lambda path: path.write_bytes(b"nothing"),
    "not nifti": lambda path: path.write_bytes(gzip.compress(b"nothing" * 100)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2]),
    "cut inside": lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:900])),
    "bad header": lambda path: path.write_bytes(
        gzip.compress(b"\x5c\x01" + b"\xff" * 400 + gzip.decompress(path.read_bytes())[402:])
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bend", BENT)
def test_bent_files_are_one_line(tmp_path: Path, bend: str) -> None:
    source = folder(tmp_path)
    BENT[bend](source / "labels" / "a.nii.gz")
    with pytest.raises((DatasetError, ImageError)) as caught:
        import_dataset("nifti", source, tmp_path / "back")
    line = str(caught.value)
    assert "a.nii.gz" in line
    assert "; " in line
    assert "\n" not in line
    assert not (tmp_path / "back").exists()
    lines: list[str] = []
    Image.fromarray(images()["images/a.png"]).save(source / "images" / "b.png")
    volume(source / "labels" / "b.nii.gz", LABELS)
    path = import_dataset("nifti", source, tmp_path / "back", ImportOptions(skip_bad=lines.append))
    same(found(path), ["36"], [TOOTH])
    assert lines == [line]


def test_a_folder_without_volumes(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    with pytest.raises(DatasetError, match="labels holds no NIfTI file; put the label volumes there"):
        import_dataset("nifti", tmp_path, tmp_path / "back")
    assert not nifti.recognises(tmp_path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.sampled_from([None, 0.05, 0.1]))
def test_any_picture_comes_back(tmp_path_factory: pytest.TempPathFactory, picture: np.ndarray, side: float) -> None:
    path = tmp_path_factory.mktemp("volume") / "a.nii.gz"
    path.write_bytes(volume_bytes(picture, side))
    np.testing.assert_array_equal(read_volume(path), picture)
    # A tool that reorients its volumes changes nothing.
    nibabel.save(nibabel.as_closest_canonical(nibabel.load(path)), path)
    np.testing.assert_array_equal(read_volume(path), picture)
