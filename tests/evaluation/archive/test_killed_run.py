"""A run that is killed at any moment and resumed gives what an uninterrupted run gives, and charts little twice."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from dentasam.evaluation.archive.run import WORKERS_BESIDE_CPU

from .stand_in import contents, save_image

IMAGES, KILLS, PAUSE = 30, 12, 0.01

# Charts the images in one process for each line that it reads, and writes that process's number; empty lines end it.
# A process that has imported torch makes others in no time, where each new interpreter would take seconds.
FORKS = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from stand_in import StandIn
from dentasam.evaluation.archive.run import chart_to_folder
from dentasam.evaluation.archive.settings import ChartSettings
scans, log = map(Path, sys.argv[1:])
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        quiet = lambda text: None
        model = StandIn(log=log, pause={PAUSE})
        os.setpgid(0, 0)
        options = dict(resume=True, shard=None, cpu=True, say=quiet, warn=quiet)
        chart_to_folder([scans], Path(line.strip()), lambda device: model, ChartSettings("png"), **options)
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


def test_killed_at_random_points(tmp_path: Path) -> None:
    scans, log, out = tmp_path / "scans", tmp_path / "log", tmp_path / "out"
    for number in range(IMAGES):
        save_image(scans / f"{number % 3}" / f"{number:02}.png", number % 8)
    (scans / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    chance, states = random.Random(1), []
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, str(scans), str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None

        def begun(folder: Path) -> int:
            print(folder, file=forks.stdin, flush=True)
            return int(forks.stdout.readline())  # type: ignore[union-attr]

        def ended() -> int:
            return int(forks.stdout.readline())  # type: ignore[union-attr]

        begun(tmp_path / "whole")
        assert ended() == 0
        log.unlink()
        for _ in range(KILLS):
            pid = begun(out)
            lines = log.read_text().count("\n") if log.exists() else 0
            deadline = time.monotonic() + 20
            # From the first chart of this process on, any moment may be the last.
            while time.monotonic() < deadline and (log.read_text().count("\n") if log.exists() else 0) == lines:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 4 * PAUSE))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            states.append(ended())
            for path in out.glob("charts/**/[!.]*.json"):
                assert path.read_text().endswith("}")
        begun(out)
        assert ended() == 0
        forks.stdin.close()
    assert states.count(signal.SIGKILL) > KILLS // 2
    assert contents(out) == contents(tmp_path / "whole")
    charted = log.read_text().count("\n")
    assert IMAGES <= charted <= IMAGES + WORKERS_BESIDE_CPU * states.count(signal.SIGKILL)
