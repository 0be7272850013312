"""Commands in forks of one interpreter that has imported everything, so that a kill costs no start of torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
# For each line it reads it starts a module's main program, in a process group of its own, and writes its number; an
# empty list waits for it to end and writes its status. The bundled model is loaded before the fork, by one thread: no
# other runs yet.
_FORKS = """
import ctypes, json, os, runpy, signal, sys
import torch, alembic.command, fastapi, uvicorn, psycopg
import dentasam.cli.app, dentasam.cli.data, dentasam.cli.label, dentasam.cli.train
import dentasam.labelling.server.app, dentasam.labelling.exchange.offline, dentasam.model.runtime
import dentasam.training.run.loop, dentasam.data.formats.registry, dentasam.data.formats.labelme
from dentasam.cli import options
torch.set_num_threads(1)
model = "dentasam-tiny"
loaded = options.load_segmenter(model, options.chosen_adapter(model, None), "cpu", None, "fp32", None)
options.load_segmenter = lambda *given: loaded
pid = 0
for line in sys.stdin:
    request = json.loads(line)
    if not request:
        print(os.waitpid(pid, 0)[1], flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        # A server ends with this process too (PR_SET_PDEATHSIG).
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        output = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = [request["module"], *request["arguments"]]
        status = 0
        try:
            runpy.run_module(request["module"], run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(pid, flush=True)
"""


class Commands:
    """One command at a time. log: what it prints, both streams."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._pid = 0
        self._forks = subprocess.Popen(
            [sys.executable, "-c", _FORKS],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "200"},
        )

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        if self._pid:
            self.kill()
        assert self._forks.stdin is not None
        self._forks.stdin.close()
        self._forks.wait(timeout=60)

    def start(self, *arguments: str, module: str = "dentasam") -> None:
        """Starts `dentasam` with these arguments, or another module."""
        self.log.unlink(missing_ok=True)
        self._pid = self._ask({"module": module, "arguments": arguments, "log": str(self.log)})

    def kill(self) -> int:
        """Kills it with all its children, at once; its status as `os.waitpid` says."""
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        return self.end()

    def end(self) -> int:
        """Waits until it ends by itself; its status as `os.waitpid` says, 0 for an exit without an error."""
        self._pid = 0
        return self._ask([])

    def run(self, *arguments: str, module: str = "dentasam") -> float:
        """Runs a command to its end; the seconds it took. Raises RuntimeError with what it printed if it fails."""
        started = time.perf_counter()
        self.start(*arguments, module=module)
        if self.end() != 0:
            raise RuntimeError(f"{module} {' '.join(arguments)}: {self.printed()}")
        return time.perf_counter() - started

    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _ask(self, request: object) -> int:
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        print(json.dumps(request), file=self._forks.stdin, flush=True)
        return int(self._forks.stdout.readline())


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too, by their path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
