"""The key: same key, same values; another key, others; and the way back."""

import json
import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID

from dentasam.data.deidentify.keyed_map import MAX_SHIFT_DAYS, KeyedMap, load_key
from dentasam.data.deidentify.run import Options, deidentify
from dentasam.errors import OutputError

from .planted import IMAGE_UID, NAME, PATIENT_ID, STUDY_UID, planted_file

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80), st.binary(min_size=32, max_size=32))
def test_values_depend_on_original_and_key_alone(one: str, other: str, key: bytes) -> None:
    keyed, again = KeyedMap(key), KeyedMap(key)
    made = UID(keyed.uid(one))
    assert made == again.uid(one)
    assert made.is_valid
    assert made.startswith("2.25.")
    assert (made == keyed.uid(other)) == (one == other)
    assert (made == KeyedMap(bytes(32)).uid(one)) == (key == bytes(32))
    pseudonym, days = keyed.patient([one], {})
    assert 1 <= days <= MAX_SHIFT_DAYS
    assert keyed.patient([f" {one} "], {}) == (pseudonym, days)
    assert keyed.uids[made] == one


def test_two_runs_with_one_key_and_one_with_another(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    planted_file(folder / "a.dcm")
    planted_file(folder / "b.dcm", SOPInstanceUID="1.2.3.4")
    key = tmp_path / "secret" / "key.json"

    def read(out: str, key: Path) -> dict[str, pydicom.Dataset]:
        outcome = deidentify(folder, tmp_path / out, Options(key=key))
        return {name: pydicom.dcmread(tmp_path / out / name) for name in sorted(outcome.delivered)}

    first, second, third = read("1", key), read("2", key), read("3", tmp_path / "other.json")
    assert list(first) == list(second)
    assert not set(first) & set(third)
    for name in first:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    studies = {each.StudyInstanceUID for each in first.values()}
    assert len(studies) == 1
    assert len({each.SOPInstanceUID for each in first.values()}) == 2
    assert studies.isdisjoint(each.StudyInstanceUID for each in third.values())
    # The reference of one file to the other still leads there.
    (image,) = {str(each.SourceImageSequence[0].ReferencedSOPInstanceUID) for each in first.values()}
    assert image in {each.SOPInstanceUID for each in first.values()}
    assert {each.PatientID for each in first.values()}.isdisjoint(each.PatientID for each in third.values())


def test_map_leads_back(tmp_path: Path) -> None:
    path = planted_file(tmp_path / "x.dcm")
    outcome = deidentify(path, tmp_path / "out")
    written = pydicom.dcmread(tmp_path / "out" / outcome.delivered[0])
    content = json.loads(outcome.key.read_text(encoding="utf-8"))
    assert content["uids"][written.StudyInstanceUID] == STUDY_UID
    assert content["uids"][written.SOPInstanceUID] == IMAGE_UID
    patient = content["patients"][written.PatientID]
    assert patient["originals"][0]["PatientName"] == NAME
    assert patient["originals"][0]["PatientID"] == PATIENT_ID
    assert content["files"][Path(outcome.delivered[0]).stem] == "x.dcm"
    back = date.fromisoformat(written.StudyDate) + timedelta(days=patient["days_earlier"])
    assert back == date(2021, 6, 12)


def test_key_file_is_the_owners_alone_and_beside_the_output(tmp_path: Path) -> None:
    outcome = deidentify(planted_file(tmp_path / "x.dcm"), tmp_path / "out")
    assert outcome.key == tmp_path / "out.key.json"
    assert stat.S_IMODE(outcome.key.stat().st_mode) == 0o600
    outcome.key.chmod(0o644)
    with pytest.raises(OutputError, match="can be read by others than its owner; chmod 600"):
        deidentify(tmp_path / "x.dcm", tmp_path / "out")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "dentasam de-identification key"}', "\xff"])
def test_what_is_no_key_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.touch(mode=0o600)
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(OutputError, match="key.json is|key.json was"):
        load_key(path)


def test_damaged_key(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    KeyedMap.new().save(path)
    assert len(load_key(path).key) == 32
    changes: tuple[dict[str, Any], ...] = ({"key": "00"}, {"key": 5}, {"uids": []})
    for change in changes:
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(OutputError, match="damaged key file"):
            load_key(path)


def test_keys_differ() -> None:
    assert KeyedMap.new().key != KeyedMap.new().key


def test_patients_without_id_are_told_apart_by_name_or_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    planted_file(folder / "a.dcm", PatientID="", PatientName="One")
    planted_file(folder / "b.dcm", PatientID="", PatientName="one ")
    planted_file(folder / "c.dcm", PatientID="", PatientName="Two")
    planted_file(folder / "d.dcm", PatientID="", PatientName="")
    planted_file(folder / "e.dcm", PatientID="", PatientName="")
    outcome = deidentify(folder, tmp_path / "out")
    content = json.loads(outcome.key.read_text(encoding="utf-8"))
    named = {content["files"][Path(name).stem]: name for name in outcome.delivered}
    ids = {name: pydicom.dcmread(tmp_path / "out" / made).PatientID for name, made in named.items()}
    assert ids["a.dcm"] == ids["b.dcm"]
    assert len(set(ids.values())) == 4
