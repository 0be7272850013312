"""Lines on stderr: whatever the user gave, they are one line that a terminal shows as it is."""

import pytest

from dentasam.cli.app import main
from dentasam.cli.console import MAX_LINE, complain


@pytest.mark.parametrize(
    "arguments",
    [
        ["x\n" * 500],
        ["predict", "a\nb\x1b[31m\x9b\u202egnp.png", "--out", "o"],
        ["predict", "x" * 3000, "--out", "o"],
        ["evaluate", "x.json", "--clicks", "9\n" * 500, "--out", "o"],
        ["train", "x.json", "--" + "y" * 5000],
        ["train", "x.json", "--val", "x.json", "--out", "o", "--recipe", "decoder", "--set", "a\nb" * 5000],
    ],
    ids=["command", "control characters", "long path", "long number", "long option", "long setting"],
)
def test_what_the_user_gave_is_printed_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    lines = capsys.readouterr().err
    assert lines.startswith("dentasam: ")
    assert lines.count("\n") == 1
    assert lines[:-1].isprintable()
    assert len(lines) < 500


def test_a_very_long_line_loses_its_middle(capsys: pytest.CaptureFixture[str]) -> None:
    complain("a" * 5000 + "; choose another one")
    line = capsys.readouterr().err
    assert len(line) == len("dentasam: \n") + MAX_LINE
    assert line.endswith("; choose another one\n")
