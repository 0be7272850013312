"""The server as a process: its port, its signals, and what stands in its way told in one line."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from dentasam.errors import CheckpointError, DentasamError
from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.kept_address import KeptAddress
from dentasam.labelling.inference.encoding.encode_queue import Progress
from dentasam.labelling.server import run as run_module
from dentasam.labelling.server.listening import bind, check_reach
from dentasam.labelling.server.run import Settings, built_page, run
from dentasam.labelling.server.serving import serve
from dentasam.labelling.workspace.workspace import Workspace

from ..running import folder_of_images, running

# A server over the stand-in for the model, in a process of its own so that it can be sent signals.
SCRIPT = """
import sys
from pathlib import Path
from dentasam.labelling.auth.access import Access
from dentasam.labelling.server.listening import bind
from dentasam.labelling.server.serving import serve
from tests.labelling.running import running

with bind("127.0.0.1", 0) as listening:
    access = Access("a-token", port=listening.getsockname()[1])
    with running(Path(sys.argv[1]), access) as server:
        serve(server.app, listening, access.url, announce=lambda line: print(line, flush=True))
print("tidied up", flush=True)
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    folder = folder_of_images(tmp_path / "images")
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    started = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TERM": "dumb"},
    )
    yield started
    if started.poll() is None:
        started.kill()
    started.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_stops_cleanly(process: "subprocess.Popen[str]", number: int, tmp_path: Path) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    base, _, token = url.partition("?token=")
    assert token == "a-token"
    with urllib.request.urlopen(base + "healthz", timeout=10) as answer:
        assert answer.read() == b"ok"
        assert "server" not in answer.headers
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(base + "api/cases", timeout=10)
    assert refused.value.code == 401
    refused.value.close()
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1] == "tidied up"
    assert errors == ""
    # The lock of the workspace is free again.
    with running(tmp_path / "images") as server:
        assert len(server.store.cases()) == 2


def test_a_port_in_use_is_named() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            DentasamError, match=f"port {port} on 127.0.0.1 is in use; choose another --port"
        ) as error:
            bind("127.0.0.1", port)
        assert len(str(error.value).splitlines()) == 1


def test_a_port_is_free_again_at_once() -> None:
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            connection, _ = listening.accept()
            connection.close()
    bind("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "a" * 300])
def test_a_host_that_is_not_this_machine(host: str) -> None:
    with pytest.raises(DentasamError, match="--host"):
        bind(host, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", ""])
def test_beyond_this_machine_annotators_are_demanded(host: str) -> None:
    with pytest.raises(DentasamError, match="dentasam label DIR --add-annotator NAME"):
        check_reach(host, [])
    check_reach(host, ["anna"])
    check_reach("127.0.0.1", [])


def test_a_page_that_was_not_built(tmp_path: Path) -> None:
    with pytest.raises(
        DentasamError, match=r"install Node.js 20 or newer, then dentasam again: pip install \."
    ) as error:
        built_page(tmp_path)
    assert len(str(error.value).splitlines()) == 1
    (tmp_path / "index.html").touch()
    assert built_page(tmp_path) == tmp_path


def test_before_the_model_is_loaded_the_terminal_and_the_workspace_tell_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(run_module, "PAGE", tmp_path)
    folder = folder_of_images(tmp_path / "images")
    seen: list[str] = []

    def load() -> NoReturn:
        seen.append(capfd.readouterr().err)
        with pytest.raises(DentasamError) as in_use:
            Workspace.open(folder)
        seen.append(str(in_use.value))
        raise CheckpointError("base.pth is damaged")

    with pytest.raises(CheckpointError, match="damaged"):
        run(folder, load, Settings(model="[base].pth"), announce=seen.append, complain=seen.append)
    assert seen[0] == "loading [base].pth …\n"
    assert re.search(r"in use by the dentasam label at http://127\.0\.0\.1:[1-9]\d*/;", seen[1])
    assert len(seen) == 2
    # Nothing of it is left running.
    Workspace.open(folder).close()


def start(folder: Path, settings: Settings, told: list[str]) -> str:
    """Starts and ends a server whose model cannot be loaded; the address under which it would have been."""
    seen: list[str] = []

    def load() -> NoReturn:
        with pytest.raises(DentasamError) as in_use:
            Workspace.open(folder)
        seen.append(str(in_use.value))
        raise CheckpointError("base.pth is damaged")

    with pytest.raises(CheckpointError):
        run(folder, load, settings, announce=told.append, complain=told.append)
    return re.findall(r"http://\S+/", seen[0])[0]


def test_a_restart_has_the_same_port_and_says_so_where_it_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(run_module, "PAGE", tmp_path)
    folder, told = folder_of_images(tmp_path / "images"), list[str]()
    first = start(folder, Settings(port=0), told)
    kept = KeptAddress.of(folder / ".dentasam")
    assert first == f"http://127.0.0.1:{kept.port}/"
    assert start(folder, Settings(port=None), told) == first
    assert KeptAddress.of(folder / ".dentasam") == kept
    assert told == []
    assert kept.port is not None
    with (
        bind("127.0.0.1", kept.port),
        pytest.raises(DentasamError, match=f"port {kept.port} on 127.0.0.1 is in use"),
    ):
        run(folder, NotImplemented, Settings(port=None), announce=told.append, complain=told.append)
    assert start(folder, Settings(port=0), told) != first
    assert [str(kept.port) in line for line in told] == [True]
    changed = KeptAddress.of(folder / ".dentasam")
    assert changed.token == kept.token
    start(folder, Settings(port=None, new_token=True), told)
    assert KeptAddress.of(folder / ".dentasam").token != kept.token


def test_progress_is_shown_and_the_browser_opened_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    looked: list[str] = []
    monkeypatch.setattr("webbrowser.open", looked.append)
    monkeypatch.setattr("dentasam.labelling.server.serving.POLL_SECONDS", 0.05)
    states = iter(range(1, 100))
    seen = threading.Event()

    def progress() -> Progress:
        done = min(next(states), 3)
        if done == 3:
            seen.set()
        return Progress(done, 3, "a.png")

    told: list[str] = []
    with bind("127.0.0.1", 0) as listening, running(folder_of_images(tmp_path / "images")) as server:
        access = Access("a-token", port=listening.getsockname()[1])

        def stop() -> None:
            seen.wait(10)
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=stop).start()
        before = signal.getsignal(signal.SIGINT)
        serve(
            server.app,
            listening,
            access.url,
            announce=told.append,
            progress=progress,
            open_browser=True,
            browser_url=access.one_time_url,
        )
        assert signal.getsignal(signal.SIGINT) is before
    # Other users of the machine can read the command line of the browser.
    (address,) = looked
    assert address.startswith(f"{access.address}?code=")
    assert "a-token" not in address
    assert told[0] == access.url
    assert seen.is_set()
