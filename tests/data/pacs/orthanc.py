"""A real PACS for tests: Orthanc with its DICOMweb plugin, in a network namespace of its own."""

import json
import os
import runpy
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PORT = 8042
USER, PASSWORD = "reader", "of images"
START_SECONDS = 20.0


def missing() -> str | None:
    """What an Orthanc cannot be started for on this machine; None where it can."""
    provide = runpy.run_path(str(Path(__file__).parents[2] / "provide.py"))
    if provide["orthanc"]() is None:
        return "Orthanc with its DICOMweb plugin is not installed; python tests/provide.py installs it"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, check=False)
    return f"unshare --net: {tried.stderr.decode().strip()}" if tried.returncode else None


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of the DICOMweb service while the block runs; USER and PASSWORD are asked for."""
    program, plugin = runpy.run_path(str(Path(__file__).parents[2] / "provide.py"))["orthanc"]()
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "Plugins": [str(plugin)],
                "HttpPort": PORT,
                "DicomServerEnabled": False,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": True,
                "RegisteredUsers": {USER: PASSWORD},
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
            }
        )
    )
    relay = Path(__file__).with_name("in_namespace.py")
    with socket.create_server(("127.0.0.1", 0)) as listener, (folder / "orthanc.log").open("wb") as log:
        command = [*_unshare(), sys.executable, relay, listener.fileno(), PORT, program, configuration]
        process = subprocess.Popen(
            list(map(str, command)), pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            port = listener.getsockname()[1]
            _wait(port, folder / "orthanc.log")
            yield f"http://127.0.0.1:{port}/dicom-web"
        finally:
            # With it ends the process namespace, and all that runs in it.
            process.kill()
            process.wait()


def _unshare() -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--net", "--pid", "--fork", "--kill-child"]


def _wait(port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/system", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"Orthanc did not start: {log.read_text(errors='replace')[-2000:]}")
