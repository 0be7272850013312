"""Runs cases, each in a process that is forked from this one, where all modules are loaded already.

The fork gives each case its own memory, whose peak and processor time the kernel counts, and nothing that a case
leaves behind reaches the next one. It needs this process to have a single thread.
"""

import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .kind import Bent, Kind, random_of
from .outcome import MAX_SECONDS, Outcome, Ran, judge

# Above what a process has from its start; a case that asks for more fails instead of filling the machine.
ROOM_BYTES = 3 << 30
# Processor time is limited in `_in_child`; this catches what sleeps. Waiting for a core does not count.
MAX_WALL_SECONDS = 60.0


@dataclass(frozen=True)
class Result:
    """A case that was run. bent: what was bent, and how."""

    kind: str
    seed: int
    number: int
    bent: Bent
    ran: Ran
    outcome: Outcome

    @property
    def case(self) -> str:
        return f"{self.kind}:{self.seed}:{self.number}"


class Runner:
    """Examples and cases in a folder of its own. findings: where the files of findings are kept, None for nowhere."""

    def __init__(self, folder: Path, findings: Path | None = None) -> None:
        self.folder, self.findings = folder, findings
        self._digests: dict[str, str | None] = {}
        self._examples: dict[Callable[[Path], None], Path] = {}

    def run(self, kind: Kind, seed: int, number: int) -> Result:
        """Makes the case, has it read, and judges what came of it."""
        self._prepare(kind)
        with self._copy(kind) as work:
            bent = kind.bend(random_of(seed, kind.name, number), work)
            kept = self._kept(bent) if self.findings is not None else None
            ran = self._read(kind, bent)
            expected = self._digests[kind.name] if kind.guarded and not bent.unseen else None
            result = Result(kind.name, seed, number, bent, ran, judge(ran, bent.accepted_names, expected))
            if result.outcome.is_finding and self.findings is not None:
                trace = self._read(kind, bent, with_traceback=True).stderr if ran.signal is None else ""
                self._keep(result, kept, trace)
        return result

    def _prepare(self, kind: Kind) -> None:
        """Builds the kind's example and reads it as it is. Raises RuntimeError where that fails."""
        if kind.name in self._digests:
            return
        if kind.build not in self._examples:
            target = self.folder / "examples" / kind.name
            target.mkdir(parents=True)
            built = self._forked(lambda: kind.build(target), self.folder)
            if built.code != 0:
                raise RuntimeError(f"the example of {kind.name} cannot be built:\n{built.stderr}")
            self._examples[kind.build] = target
        with self._copy(kind) as work:
            whole = self._read(kind, Bent(work, work / kind.whole, "nothing", draw=0.5))
        if whole.code != 0:
            raise RuntimeError(f"the example of {kind.name} cannot be read:\n{whole.stderr}")
        self._digests[kind.name] = whole.digest

    @contextmanager
    def _copy(self, kind: Kind) -> Iterator[Path]:
        work = Path(tempfile.mkdtemp(prefix=f"{kind.name}-", dir=self.folder)) / "given"
        try:
            shutil.copytree(self._examples[kind.build], work)
            yield work
        finally:
            shutil.rmtree(work.parent, ignore_errors=True)

    def _read(self, kind: Kind, bent: Bent, with_traceback: bool = False) -> Ran:
        place = Path(tempfile.mkdtemp(prefix="out-", dir=bent.folder.parent))
        digest = place / ".digest"

        def read() -> None:
            if with_traceback:
                os.environ["DENTASAM_TRACEBACK"] = "1"
            from dentasam.cli.console import run

            def command() -> int:
                found = kind.read(bent)
                if isinstance(found, str):
                    digest.write_text(found, "utf-8")
                return found if isinstance(found, int) else 0

            run(command)

        return self._forked(read, place)

    def _forked(self, work: Callable[[], None], place: Path) -> Ran:
        """Runs `work` in a forked process with its streams in files and the current folder at `place`."""
        streams = place / ".stdout", place / ".stderr"
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _in_child(work, place, streams)
        used, status = _waited(child)
        digest = place / ".digest"
        texts = [path.read_text("utf-8", errors="backslashreplace") if path.exists() else "" for path in streams]
        return Ran(
            code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            seconds=used.ru_utime + used.ru_stime,
            peak=used.ru_maxrss * 1024,
            stdout=texts[0],
            stderr=texts[1],
            digest=digest.read_text("utf-8") if digest.exists() else None,
        )

    def _kept(self, bent: Bent) -> Path:
        """A copy of the bent file, made before a reader changes or removes it."""
        kept = bent.folder.parent / "kept"
        kept.mkdir()
        if bent.file.is_file() and bent.file.stat().st_size < 30_000_000:
            shutil.copy(bent.file, kept / bent.file.name)
        return kept

    def _keep(self, result: Result, kept: Path | None, trace: str) -> None:
        assert self.findings is not None
        folder = self.findings / result.case.replace(":", "-")
        shutil.rmtree(folder, ignore_errors=True)
        if kept is not None:
            shutil.copytree(kept, folder)
        text = [
            f"python -m tests.fuzz --case {result.case}",
            f"bent: {result.bent.how}",
            f"{result.outcome.kind}: {result.outcome.detail}",
            f"{result.ran.seconds:.2f} s of processor time, {result.ran.peak / 1e6:.0f} MB",
            "",
            trace or result.ran.stderr,
        ]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "REPORT.txt").write_text("\n".join(text), "utf-8", errors="backslashreplace")


def _in_child(work: Callable[[], None], place: Path, streams: tuple[Path, Path]) -> None:
    """Never returns. A process group of its own, so that what a case starts is stopped with it."""
    code = 70
    try:
        os.setsid()
        os.chdir(place)
        for number, path in enumerate(streams, start=1):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
        sys.stdout, sys.stderr = (
            os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False) for number in (1, 2)
        )
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        room = pages * resource.getpagesize() + ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        # Beyond what is called slow, so that what comes after it is seen too.
        seconds = int(3 * MAX_SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _waited(child: int) -> tuple[resource.struct_rusage, int]:
    """Waits for a process and what it started; stops them where they take too long."""
    started, process = time.monotonic(), os.pidfd_open(child)
    try:
        while not select.select([process], [], [], 1.0)[0]:
            if time.monotonic() - started - _delayed(child) > MAX_WALL_SECONDS:
                os.killpg(child, signal.SIGKILL)
                break
        _, status, used = os.wait4(child, 0)
    finally:
        os.close(process)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return used, status


def _delayed(process: int) -> float:
    """Seconds for which a process could have run and had no core; 0 where the kernel does not count them."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
