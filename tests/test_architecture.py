"""The directions of imports between the rooms, and what a start of the command may cost."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "numpy", "scipy", "cv2", "matplotlib", "peft", "kornia", "pydantic_settings", "PIL", "yaml")


def test_imports_point_one_way() -> None:
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", script]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert " 0 broken" in checked.stdout


@pytest.mark.parametrize("command", ["", "train", "data", "predict"])
def test_help_starts_without_the_rooms(command: str) -> None:
    script = (
        "import sys\n"
        "from dentasam.cli.app import main\n"
        "try:\n"
        f"    main({[*command.split(), '--help']!r})\n"
        "except SystemExit as leaving:\n"
        "    assert not leaving.code\n"
        f"loaded = sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "assert not loaded, loaded\n"
    )
    started = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr


def test_importing_the_package_is_free_of_torch() -> None:
    script = "import sys, dentasam; assert 'torch' not in sys.modules; assert callable(dentasam.load)"
    subprocess.run([sys.executable, "-c", script], check=True)
