"""Who is signed in, in memory and after a restart."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from dentasam.errors import WorkspaceError
from dentasam.labelling.auth import sessions as sessions_module
from dentasam.labelling.auth.sessions import Sessions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


HASHES = {"anna": "$argon2id$a", "ben": "$argon2id$b"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


def test_sessions_end() -> None:
    clock = Clock()
    sessions = Sessions(seconds=60, clock=clock)
    anna, ben = sessions.begin("anna"), sessions.begin("ben")
    assert anna != ben
    assert (sessions.annotator(anna), sessions.annotator(ben)) == ("anna", "ben")
    assert sessions.annotator("") is None
    assert sessions.annotator("\ud800") is None
    sessions.end(ben)
    assert sessions.annotator(ben) is None
    clock.now += 59
    assert sessions.annotator(anna) == "anna"
    clock.now += 1
    assert sessions.annotator(anna) is None


def test_the_token_of_a_session_is_not_in_memory() -> None:
    sessions = Sessions()
    token = sessions.begin("anna")
    assert token.encode() not in repr(vars(sessions)).encode()


def test_a_restart_signs_nobody_out(path: Path) -> None:
    clock = Clock()
    token = Sessions(60, clock, path=path, passwords=HASHES).begin("anna")
    clock.now += 59
    assert Sessions(60, clock, path=path, passwords=HASHES).annotator(token) == "anna"
    clock.now += 1
    assert Sessions(60, clock, path=path, passwords=HASHES).annotator(token) is None


def test_who_signed_out_stays_out_after_a_restart(path: Path) -> None:
    before = Sessions(path=path, passwords=HASHES)
    anna, ben = before.begin("anna"), before.begin("ben")
    before.end(anna)
    again = Sessions(path=path, passwords=HASHES)
    assert (again.annotator(anna), again.annotator(ben)) == (None, "ben")
    again.end_all()
    assert Sessions(path=path, passwords=HASHES).annotator(ben) is None


def test_the_file_holds_hashes_that_only_the_owner_reads(path: Path) -> None:
    token = Sessions(path=path, passwords=HASHES).begin("anna")
    text = path.read_text()
    assert token not in text
    assert HASHES["anna"] not in text
    assert hashlib.sha256(token.encode()).hexdigest() in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("passwords", [{}, {"ben": HASHES["ben"]}, HASHES | {"anna": "$argon2id$new"}])
def test_another_password_or_a_removed_name_ends_its_sessions(path: Path, passwords: dict[str, str]) -> None:
    token = Sessions(path=path, passwords=HASHES).begin("anna")
    assert Sessions(path=path, passwords=passwords).annotator(token) is None


def test_no_session_lasts_longer_than_it_could(path: Path) -> None:
    clock = Clock()
    token = Sessions(60, clock, path=path, passwords=HASHES).begin("anna")
    # A clock that was set back, or a file that was written into.
    (row,) = json.loads(path.read_text())
    path.write_text(json.dumps([row | {"until": 1e12}]))
    again = Sessions(60, clock, path=path, passwords=HASHES)
    clock.now += 60
    assert again.annotator(token) is None


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "{}", '[{"token": "x"}]', "[[]]", "\x00"])
def test_a_damaged_file_signs_everybody_out(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    sessions = Sessions(path=path, passwords=HASHES)
    assert sessions.annotator(sessions.begin("ben")) == "ben"


def test_a_file_that_others_may_read_is_not_trusted(path: Path) -> None:
    token = Sessions(path=path, passwords=HASHES).begin("anna")
    path.chmod(0o640)
    assert Sessions(path=path, passwords=HASHES).annotator(token) is None


def test_a_disk_that_is_full_lets_people_in_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    sessions = Sessions(path=path, passwords=HASHES)
    monkeypatch.setattr(os, "replace", full)
    assert sessions.annotator(sessions.begin("anna")) == "anna"
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_too_large_is_named_and_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)
    path.chmod(0o600)
    with pytest.raises(WorkspaceError, match=r"sessions\.json is larger than 4,194,304 bytes.*; delete it$"):
        Sessions(path=path, passwords=HASHES)


def test_only_the_last_sessions_are_kept_so_that_the_file_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "MAX_KEPT", 3)
    before = Sessions(path=path, passwords=HASHES)
    tokens = [before.begin("anna") for _ in range(5)]
    assert {before.annotator(token) for token in tokens} == {"anna"}
    again = Sessions(path=path, passwords=HASHES)
    assert [again.annotator(token) for token in tokens] == [None, None, "anna", "anna", "anna"]
    row = json.dumps(json.loads(path.read_text())[0] | {"name": "\U00020000" * 64}, ensure_ascii=False)
    assert len(row.encode()) + 2 < 600
    assert sessions_module.MAX_BYTES > 5000 * 600
