"""Names and passwords: what is stored, what is refused, and how often one may guess."""

import stat
from pathlib import Path

import pytest
import yaml

from dentasam.errors import WorkspaceError
from dentasam.labelling.auth.passwords import Annotators, Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "annotators.yaml"


def test_a_password_is_kept_as_an_argon2_hash_that_only_the_owner_reads(path: Path) -> None:
    annotators = Annotators(path)
    assert annotators.add("Dr. Müller", "crown and bridge")
    text = path.read_text(encoding="utf-8")
    assert "crown" not in text
    (entry,) = yaml.safe_load(text)["annotators"]
    assert entry["name"] == "Dr. Müller"
    assert entry["password"].startswith("$argon2id$")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Annotators(path)
    assert again.names == ["Dr. Müller"]
    assert again.verify("Dr. Müller", "crown and bridge")
    assert not again.verify("Dr. Müller", "crown and bridges")
    assert not again.verify("Dr. Mueller", "crown and bridge")


def test_adding_again_gives_a_new_password(path: Path) -> None:
    annotators = Annotators(path)
    annotators.add("anna", "first password")
    annotators.add("ben", "another password")
    assert not annotators.add("anna", "second password")
    again = Annotators(path)
    assert again.names == ["anna", "ben"]
    assert again.verify("anna", "second password")
    assert not again.verify("anna", "first password")


def test_an_unknown_name_costs_a_hash_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annotators = Annotators(path)
    tried = []
    inner = annotators._hasher.verify
    monkeypatch.setattr(
        annotators, "_hasher", type("Watch", (), {"verify": lambda _, *given: (tried.append(given), inner(*given))})()
    )
    assert not annotators.verify("nobody", "some password")
    assert len(tried) == 1


@pytest.mark.parametrize("name", ["", " anna", "a" * 65, "<b>anna</b>", "anna\nben", "../anna"])
def test_names_that_are_refused(path: Path, name: str) -> None:
    with pytest.raises(WorkspaceError, match="is not a name for an annotator"):
        Annotators(path).add(name, "long enough password")
    assert not path.exists()


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_passwords_that_are_refused(path: Path, password: str) -> None:
    with pytest.raises(WorkspaceError, match=f"has {len(password)} characters") as refused:
        Annotators(path).add("anna", password)
    assert not path.exists()
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    ["annotators: [", "just text", "annotators: [{name: anna}]", "annotators: [{name: anna, password: plain}]", "[]"],
)
def test_a_damaged_file_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(WorkspaceError) as caught:
        Annotators(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_guesses_run_out_by_address_and_by_name() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(throttle.PER_ADDRESS.most):
        assert throttle.wait("10.0.0.1", "anna") == 0
        throttle.failed("10.0.0.1", "anna")
        clock.now += 1
    assert throttle.wait("10.0.0.1", "ben") == throttle.PER_ADDRESS.seconds - throttle.PER_ADDRESS.most
    assert throttle.wait("10.0.0.2", "anna") == 0
    clock.now += throttle.PER_ADDRESS.seconds
    assert throttle.wait("10.0.0.1", "anna") == 0

    for number in range(throttle.PER_NAME.most):
        throttle.failed(f"10.0.1.{number}", "anna")
    assert throttle.wait("10.0.2.1", "anna") > 0
    assert throttle.wait("10.0.2.1", "ben") == 0
    throttle.succeeded("10.0.2.1", "anna")
    assert throttle.wait("10.0.2.1", "anna") == 0


def test_failures_of_many_addresses_do_not_fill_the_memory() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    throttle.MAX_KEYS = 20
    for number in range(100):
        throttle.failed(f"10.0.0.{number}", f"name {number}")
        clock.now += 100
    assert len(throttle._failures) < 30
