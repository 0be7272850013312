"""`dentasam label`: what reaches the server, what ends at once, and what is reported in one line."""

import csv
import io
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

import dentasam.labelling.server.run
import dentasam.model.runtime
from dentasam.cli import app
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.log.operations import parse_operations
from dentasam.labelling.server.run import Settings
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import Workspace

Lines = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60)).save(folder / "a.png")
    return folder


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    built = tmp_path / "page"
    built.mkdir()
    (built / "index.html").write_text("page")
    monkeypatch.setattr(dentasam.labelling.server.run, "PAGE", built)
    return built


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(dentasam.model.runtime, "load_torch", load)


@pytest.fixture
def labelled(folder: Path) -> Path:
    """One object and five seconds of work on the image."""
    object, mask = str(UUID(int=1)), BoxMask(3, 4, np.ones((5, 5), bool))
    create = {"kind": "create", "object": object, "time": 1, "data": {"source": "manual", "category": "36"}}
    change = {"kind": "mask", "object": object, "time": 2, "data": {"tool": "brush"}, "mask": mask}
    operations = [{**create, "id": str(UUID(int=2))}, {**change, "id": str(UUID(int=3))}]
    with open_workspace(folder) as (_, store, problems):
        assert problems == []
        store.append(1, parse_operations(operations), 0, "anna")
        store.add_time(1, "anna", [Worked()])
    return folder


class Worked:
    tool, object, start, seconds = "brush", None, 1_700_000_000_000, 5.0


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        app.main(["label", *map(str, arguments)])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def one_line(capsys: Lines) -> str:
    streams = capsys.readouterr()
    assert streams.out == ""
    (line,) = streams.err.splitlines()
    return line.removeprefix("dentasam: ")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What `run` of the server was given, in place of a server."""
    given: list[tuple[Any, ...]] = []

    def run(source: Path, load: Any, settings: Settings, *, announce: Any, complain: Any) -> None:
        given.append((source, load, settings))

    monkeypatch.setattr(dentasam.labelling.server.run, "run", run)
    return given


def test_the_usual_start(folder: Path, served: list[tuple[Any, ...]]) -> None:
    assert leave(folder) == 0
    ((source, _, settings),) = served
    assert source == folder
    assert settings == Settings(host="127.0.0.1", port=None, idle_seconds=30.0, model="dentasam-tiny")


def test_all_options_reach_the_server(
    folder: Path, served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "--host 10.0.0.1 --port 0 --name label.example --name other.example --workspace w --annotator anna"
    more = "--database postgresql://db/labels --idle 45 --open --model sam-hq-vit-b --adapter mine"
    where = "--device cpu --precision fp32"
    assert leave(folder, *options.split(), *more.split(), *where.split()) == 0
    ((_, load, settings),) = served
    assert settings == Settings(
        host="10.0.0.1",
        port=0,
        names=("label.example", "other.example"),
        folder=Path("w"),
        database="postgresql://db/labels",
        annotator="anna",
        idle_seconds=45.0,
        open_browser=True,
        model="sam-hq-vit-b",
    )
    loaded: list[tuple[Any, ...]] = []

    def asked(model: str, adapter: str, device: str, precision: str, chart: None) -> None:
        loaded.append((model, adapter, device, precision))

    monkeypatch.setattr(dentasam.model.runtime, "load_torch", asked)
    load()
    assert loaded == [("sam-hq-vit-b", "mine", "cpu", "fp32")]


@pytest.mark.parametrize(
    ("options", "adapter"), [([], "panoramic-teeth"), (["--adapter", "none"], None), (["--model", "x"], None)]
)
def test_the_bundled_adapter_comes_with_the_bundled_model(
    folder: Path,
    served: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    adapter: str | None,
) -> None:
    leave(folder, *options)
    loaded: list[str | None] = []
    monkeypatch.setattr(dentasam.model.runtime, "load_torch", lambda _, adapter, **__: loaded.append(adapter))
    served[0][1]()
    assert loaded == [adapter]


def test_the_database_may_stand_in_the_environment(
    folder: Path, served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENTASAM_DATABASE", "sqlite:///there.sqlite3")
    leave(folder)
    assert served[0][2].database == "sqlite:///there.sqlite3"


def test_without_a_built_page_it_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Lines
) -> None:
    monkeypatch.setattr(dentasam.labelling.server.run, "PAGE", tmp_path / "no page")
    assert leave(folder) == 2
    assert one_line(capsys) == (
        "the labelling page is not built in this installation; install Node.js 20 or newer, then dentasam again: "
        "pip install ."
    )
    assert not (folder / ".dentasam").exists()


def test_beyond_this_machine_annotators_are_demanded(folder: Path, page: Path, capsys: Lines) -> None:
    assert leave(folder, "--host", "0.0.0.0", "--port", 0) == 2
    assert "first name them: dentasam label DIR --add-annotator NAME" in one_line(capsys)


def test_a_port_in_use(folder: Path, page: Path, capsys: Lines) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert leave(folder, "--port", port) == 2
    assert one_line(capsys) == f"port {port} on 127.0.0.1 is in use; choose another --port, 0 for a free one"


def test_a_workspace_in_use(folder: Path, page: Path, capsys: Lines) -> None:
    with Workspace.open(folder):
        assert leave(folder, "--port", 0) == 2
    assert "is in use by another dentasam label" in one_line(capsys)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (["--export", "coco", "--out", "labels.json"], "http://127.0.0.1:8765/api/export/coco"),
        (["--export", "png", "--out", "a.zip", "--finished"], "http://127.0.0.1:8765/api/export/png?finished=true"),
        (["--timing", "times.csv"], "http://127.0.0.1:8765/api/export/timing"),
        (["--add-annotator", "anna"], "its address"),
        (["--port", "0"], "its address"),
    ],
)
def test_where_a_server_has_the_workspace_its_address_is_named(
    folder: Path, page: Path, capsys: Lines, options: list[str], address: str
) -> None:
    with Workspace.open(folder) as workspace:
        workspace.serve_at("http://127.0.0.1:8765/")
        assert leave(folder, *options) == 2
    line = one_line(capsys)
    assert line.startswith(f"{folder / '.dentasam'} is in use by the dentasam label at http://127.0.0.1:8765/; stop")
    assert f"or open {address}" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--export", "coco"], "--export coco writes a file; name it with --out PATH"),
        (["--out", "x.json"], "--out is the file for --export"),
        (["--finished"], "--finished chooses what --export writes"),
        (["--export", "png", "--out", "x.zip", "--timing", "x.csv"], "one task each"),
        (["--export", "dcm", "--out", "x"], "--export dcm is not known; give one of coco, png"),
        (["--idle", "0"], "Invalid value for '--idle'"),
        (["--port", "70000"], "Invalid value for '--port'"),
        (["--annotator", "<anna>", "--port", "0"], "'<anna>' is not a name for an annotator"),
    ],
)
def test_wrong_use_is_one_line(folder: Path, page: Path, capsys: Lines, options: list[str], message: str) -> None:
    assert leave(folder, *options) == 2
    assert message in one_line(capsys)


def test_a_folder_that_is_not_there(tmp_path: Path, page: Path, capsys: Lines) -> None:
    assert leave(tmp_path / "nowhere") == 2
    assert f"{tmp_path / 'nowhere'} does not exist" in one_line(capsys)


def test_an_annotator_is_added(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Lines) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("crown and bridge\n"))
    assert leave(folder, "--add-annotator", "anna") == 0
    assert capsys.readouterr().out == "anna can sign in now\n"
    assert Annotators.of(folder / ".dentasam").verify("anna", "crown and bridge")
    monkeypatch.setattr("sys.stdin", io.StringIO("another password"))
    assert leave(folder, "--add-annotator", "anna") == 0
    assert capsys.readouterr().out == "anna has a new password\n"
    assert Annotators.of(folder / ".dentasam").verify("anna", "another password")


@pytest.mark.parametrize(("typed", "message"), [("short\n", "has 5 characters"), ("", "has 0 characters")])
def test_a_password_that_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Lines, typed: str, message: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert leave(folder, "--add-annotator", "anna") == 2
    assert message in one_line(capsys)


def test_passwords_are_asked_for_twice(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Lines) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    typed = iter(["crown and bridge", "crown and brigde"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert leave(folder, "--add-annotator", "anna") == 2
    assert one_line(capsys) == "the two passwords differ; nothing was changed"
    assert Annotators.of(folder / ".dentasam").names == []


def test_timing(labelled: Path, tmp_path: Path, capsys: Lines) -> None:
    table = tmp_path / "timing.csv"
    assert leave(labelled, "--timing", table) == 0
    assert capsys.readouterr().out == f"1 objects in 1 images → {table}\n"
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert [(row["case"], row["annotator"], float(row["seconds"])) for row in rows if row["scope"] == "case"] == [
        ("a.png", "anna", 5.0)
    ]


def test_exports(labelled: Path, tmp_path: Path) -> None:
    assert leave(labelled, "--export", "coco", "--out", labelled / "labels.json") == 0
    content = json.loads((labelled / "labels.json").read_text())
    assert [(each["area"], each["annotator"]) for each in content["annotations"]] == [(25, "anna")]
    assert content["images"][0]["file_name"] == "a.png"

    assert leave(labelled, "--export", "png", "--out", tmp_path / "masks.zip") == 0
    archive = zipfile.ZipFile(tmp_path / "masks.zip")
    (name,) = archive.namelist()
    assert int((np.asarray(Image.open(archive.open(name))) > 0).sum()) == 25

    assert leave(labelled, "--export", "log", "--out", tmp_path / "log.ndjson") == 0
    (line,) = (tmp_path / "log.ndjson").read_text().splitlines()
    assert json.loads(line)["object"] == str(UUID(int=1))


def test_exports_of_finished_cases_alone(labelled: Path, tmp_path: Path, capsys: Lines) -> None:
    Image.new("L", (60, 40)).save(labelled / "b.png")
    object, labels = str(UUID(int=4)), labelled / "labels.json"
    create = {"kind": "create", "object": object, "time": 1, "data": {"source": "manual", "category": "36"}}
    status = {"kind": "status", "object": None, "time": 2, "data": {"status": "approved"}}
    operations = [
        {**create, "id": str(UUID(int=5)), "mask": BoxMask(0, 0, np.ones((3, 3), bool))},
        {**status, "id": str(UUID(int=6))},
    ]
    with open_workspace(labelled) as (_, store, _):
        store.append(2, parse_operations(operations), 0, "anna")

    assert leave(labelled, "--export", "coco", "--out", labels, "--finished") == 0
    assert capsys.readouterr().out == f"1 objects in 1 images of finished cases → {labels}\n"
    content = json.loads(labels.read_text())
    assert [image["file_name"] for image in content["images"]] == ["b.png"]
    assert [each["area"] for each in content["annotations"]] == [9]

    assert leave(labelled, "--export", "png", "--out", tmp_path / "masks.zip", "--finished") == 0
    assert len(zipfile.ZipFile(tmp_path / "masks.zip").namelist()) == 1
    assert leave(labelled, "--export", "log", "--out", tmp_path / "log.ndjson", "--finished") == 0
    (line,) = (tmp_path / "log.ndjson").read_text().splitlines()
    assert json.loads(line)["object"] == object


@pytest.mark.parametrize("options", [("--timing",), ("--export", "png", "--out"), ("--export", "log", "--out")])
def test_a_file_that_cannot_be_written(labelled: Path, tmp_path: Path, capsys: Lines, options: tuple[str]) -> None:
    assert leave(labelled, *options, tmp_path / "nowhere" / "file") == 2
    assert f"{tmp_path / 'nowhere' / 'file'} cannot be written" in one_line(capsys)
    assert leave(labelled, *options, tmp_path) == 2
    assert f"{tmp_path} is a folder" in one_line(capsys)


def test_threads_share_an_arena_before_there_are_any(tmp_path: Path) -> None:
    script = """
import sys
from dentasam.model.core import memory
memory.share_one_arena = lambda: print("shared before:", sorted({"numpy", "torch"} & sys.modules.keys()))
from dentasam.cli.app import main
sys.argv = ["dentasam", "label", "missing"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout.splitlines() == ["shared before: []"]
