"""A killed export leaves a draft beside its file; the next export removes it, and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dentasam.labelling.exchange.offline import write_export

KILLED = """
import os, signal, sys
from pathlib import Path
from dentasam.labelling.exchange import offline

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

offline.log_lines = offline.timing_csv = offline.write_zip = killed
offline.write_export(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
"""


@pytest.mark.parametrize("kind", ["log", "timing", "png"])
def test_the_next_export_removes_the_draft_of_a_killed_one(tmp_path: Path, kind: str) -> None:
    scans, target = tmp_path / "scans", tmp_path / "exports" / "labels.out"
    scans.mkdir()
    target.parent.mkdir()
    Image.new("L", (60, 40)).save(scans / "a.png")
    run = subprocess.run([sys.executable, "-c", KILLED, str(scans), kind, str(target)], check=False)
    assert run.returncode == -signal.SIGKILL
    (draft,) = target.parent.iterdir()
    assert draft.suffix == ".part"
    others = [".mine.part", f".labels.out.{os.getpid()}.part", "labels.part"]
    for name in others:
        (target.parent / name).write_text("kept")
    write_export(scans, kind, target)
    assert sorted(os.listdir(target.parent)) == sorted([*others, "labels.out"])
