"""What every test gets: a quiet terminal of known width, and no traceback unless a test asks."""

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# An example may take long while another process has the core.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# The models under test are small: threads cost more than they save, and many times more beside another process.
os.environ.setdefault("OMP_NUM_THREADS", "1")

BUNDLED = ("dentasam-tiny", "panoramic-teeth")

Command = Callable[..., "subprocess.CompletedProcess[str]"]

# Folders whose files take longest. Where processes share the tests, these start first, so that none is left alone
# with a long file at the end.
LONGEST = ("browser", "cli", "training", "fuzz", "benchmarks")
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(TESTS).parts[0]
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def quiet_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("DENTASAM_TRACEBACK", raising=False)


@pytest.fixture
def dentasam() -> Command:
    """Runs the command in a process of its own, as a user does; returns its exit code and both streams."""

    def run(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "dentasam", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=os.environ | environment,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def exported_bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundled model with its adapter as ONNX, in a cache of its own (see `onnx_cache`).

    The processes of a parallel run share one export, which takes half a minute; each gets a copy.
    """
    from dentasam.model.onnx.loading import cache_folder, load_onnx

    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "exported"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setenv("XDG_CACHE_HOME", str(shared / "cache"))
        load_onnx(*BUNDLED)
        (folder,) = cache_folder().iterdir()
    cache = tmp_path_factory.mktemp("onnx") / "cache"
    shutil.copytree(shared / "cache", cache)
    return cache / folder.relative_to(shared / "cache")


@pytest.fixture
def onnx_cache(exported_bundled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exports on demand come from and go to a cache that holds the bundled model with its adapter."""
    cache = exported_bundled.parent
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
    return cache


@pytest.fixture
def limited_file_size() -> Iterator[int]:
    """A write beyond so many bytes of a file fails, as on a full disk."""
    size, before = 100_000, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield size
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
