"""A patient is in one part, however the patients are known; what is not known is an error that names the image."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.splits.dealing import deal
from dentasam.data.splits.patients import by_pattern, by_table, by_tag, groups_of, patient_source
from dentasam.data.splits.split import split, write_split
from dentasam.errors import DatasetError

from ..coco_files import write
from ..images.dicom.dicom_files import ramp, write_dicom

EIGHTY = {"train": 0.8, "val": 0.1, "test": 0.1}
TOOTH = ObjectRecord.from_mask(1, "36", np.ones((4, 4), bool))
PATH = Path("set.json")


def record(id: int, name: str, tags: tuple[str, ...] = (), path: Path | None = None) -> ImageRecord:
    return ImageRecord(id, path or Path("/") / name, name, 4, 4, tags, (TOOTH,))


def named(*names: str) -> list[ImageRecord]:
    return [record(id, name) for id, name in enumerate(names, start=1)]


patient_lists = st.lists(st.integers(0, 12), min_size=1, max_size=40)
tag_sets = st.sets(st.sampled_from("abc")).map(sorted).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.data(), patient_lists, st.integers(1, 18), st.integers(0, 1000))
def test_no_patient_is_in_two_parts(data: st.DataObject, of: list[int], tenths: int, seed: int) -> None:
    images = tuple(record(id, f"{id}.png", data.draw(tag_sets)) for id in range(1, len(of) + 1))
    patients = {id: str(patient) for id, patient in enumerate(of, start=1)}
    fractions = {"train": tenths / 20, "val": (19 - tenths) / 20, "test": 1 / 20}
    dataset = Dataset(PATH, images)
    if len(set(of)) < 3:
        with pytest.raises(DatasetError, match="too few for 3 parts"):
            split(dataset, fractions, seed, patients)
        return
    parts = split(dataset, fractions, seed, patients)
    homes = Counter(patient for part in parts.values() for patient in {patients[image.id] for image in part.images})
    assert set(homes.values()) == {1}
    assert sum(len(part.images) for part in parts.values()) == len(of)
    largest = max(Counter(of).values())
    for name, part in parts.items():
        assert part.images
        assert len(part.images) < fractions[name] * len(of) + 1 + largest
    assert parts == split(dataset, fractions, seed, patients)


def test_shares_of_images_and_tags_hold_with_patients() -> None:
    draw = np.random.default_rng(7)
    chances = {"restoration": 0.6, "implant": 0.1, "overlap": 0.3}
    groups = [
        [[tag for tag, chance in chances.items() if draw.random() < chance] for _ in range(draw.integers(1, 6))]
        for _ in range(150)
    ]
    shares = np.array([0.8, 0.1, 0.1])
    part = deal(groups, shares, np.random.default_rng(3))
    images = sum(map(len, groups))
    total = Counter(tag for group in groups for image in group for tag in image)
    for place, share in enumerate(shares):
        chosen = [group for group, where in zip(groups, part, strict=True) if where == place]
        assert abs(sum(map(len, chosen)) - share * images) <= 2
        held = Counter(tag for group in chosen for image in group for tag in image)
        for tag, count in total.items():
            assert abs(held[tag] - share * count) <= 5, tag


def test_a_patient_larger_than_a_part_goes_where_there_is_room() -> None:
    # Ten images of one patient are half of all; val and test have room for two each.
    parts = deal([[()] * 10, *[[()]] * 10], np.array([0.8, 0.1, 0.1]), np.random.default_rng(0))
    assert parts[0] == 0
    assert [list(parts[1:]).count(place) for place in range(3)] == [6, 2, 2]


def test_images_with_one_file_stay_together() -> None:
    same = [record(1, "a.png"), record(2, "b.png"), replace(record(3, "copy"), path=Path("/a.png"))]
    assert groups_of(same) == [[0, 2], [1]]
    # Also across the patients that a table gives them.
    assert groups_of([*same, record(4, "c.png")], {1: "x", 2: "y", 3: "z", 4: "z"}) == [[0, 2, 3], [1]]


def test_by_pattern() -> None:
    images = named("images/P01_a.png", "images\\P02_b.png", "deep/P01-c.png")
    assert by_pattern(r"(P\d+)")(PATH, images) == {1: "P01", 2: "P02", 3: "P01"}
    assert by_pattern(r"^(P\d+)_")(PATH, images[:2]) == {1: "P01", 2: "P02"}
    assert by_pattern(r"(\w)(?P<patient>\d+)")(PATH, images[:1]) == {1: "01"}
    with pytest.raises(DatasetError, match=r"set\.json: image 3: .* finds no patient in 'deep/P01-c\.png'; correct"):
        by_pattern(r"^(P\d+)_")(PATH, images)
    with pytest.raises(DatasetError, match="finds no patient in 'P01_a.png'"):
        by_pattern(r"P01|(P02)")(PATH, images)


@pytest.mark.parametrize(
    ("pattern", "error"), [("(P", "is not a regular expression"), (r"P\d+", "has no group; put the part")]
)
def test_bad_patterns(pattern: str, error: str) -> None:
    with pytest.raises(DatasetError, match=error):
        by_pattern(pattern)


def test_by_dicom_element(tmp_path: Path) -> None:
    files = {"a": "P7", "b": " P8 ", "c": "P7"}
    images = [
        record(id, name, path=write_dicom(tmp_path / f"{name}.dcm", ramp(), PatientID=patient))
        for id, (name, patient) in enumerate(files.items(), start=1)
    ]
    for tag in ("PatientID", "00100020", "(0010,0020)", "0x00100020"):
        assert by_tag(tag)(PATH, images) == {1: "P7", 2: "P8", 3: "P7"}
    with pytest.raises(DatasetError, match=r"a\.dcm has no value for the DICOM element PatientName; name another"):
        by_tag("PatientName")(PATH, images)
    with pytest.raises(DatasetError, match="'Patient' is neither a DICOM keyword nor eight hexadecimal digits"):
        by_tag("Patient")
    write(tmp_path)
    png = record(4, "a.png", path=tmp_path / "images" / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png is not DICOM and has no --patient-tag; use --patient-"):
        by_tag("PatientID")(PATH, [png])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_by_table(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [
        ("age", "Patient", "file_name"),
        ("9", "Müller", "a.png"),
        ("", "7", "images/Zürich/b.png"),
        ("", "", ""),
    ]
    table = tmp_path / "patients.csv"
    table.write_text("\n".join(separator.join(row) for row in rows), encoding=encoding)
    # The second name has its umlaut in two characters, as macOS writes it.
    images = named("images/a.png", "Zu\u0308rich/b.png")
    assert by_table(table)(PATH, images) == {1: "Müller", 2: "7"}
    with pytest.raises(DatasetError, match=r"patients\.csv does not list 'c\.png' and 1 more image of set\.json"):
        by_table(table)(PATH, [*images, record(3, "c.png"), record(4, "d.png")])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "has no columns file_name and patient in its first line"),
        (b"name,patient\na,b\n", "has no columns file_name and patient in its first line"),
        (b"image,patient\na.png\n", "row 2 has no patient; complete it"),
        (b"image,patient\n,x\n", "row 2 has no file name; complete it"),
        (b"image,patient\na.png,x\nimages/a.png,y\n", r"row 3: 'images/a\.png' has another patient above"),
        ("image,patient\nä.png,x\n".encode("latin-1"), "is not UTF-8; save it as CSV UTF-8"),
        (b'image,patient\n"' + b"x" * 200_000, "is not a CSV table"),
    ],
)
def test_bad_tables(tmp_path: Path, content: bytes, error: str) -> None:
    table = tmp_path / "patients.csv"
    table.write_bytes(content)
    with pytest.raises(DatasetError, match=error):
        by_table(table)


def test_one_way_at_most(tmp_path: Path) -> None:
    assert patient_source() is None
    with pytest.raises(DatasetError, match="three ways to tell patients apart; give one"):
        patient_source(pattern="(a)", tag="PatientID")
    with pytest.raises(DatasetError, match=r"none\.csv cannot be read \(No such file or directory\); check the path"):
        patient_source(table=tmp_path / "none.csv")


def test_patients_are_counted_and_images_without_objects_need_none(tmp_path: Path) -> None:
    source = write(tmp_path)
    with pytest.raises(DatasetError, match="has 1 patient with objects, too few for 2 parts"):
        write_split(source, {"train": 0.5, "val": 0.5}, patients=by_pattern("(a|b)"))
    # Only the first image has objects, so only its name must match.
    done = write_split(source, {"train": 1.0}, patients=by_pattern("(a)"))
    assert (done.parts["train"].patients, done.left_out) == (1, 1)
