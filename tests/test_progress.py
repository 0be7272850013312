"""Long work off a terminal says a line now and then: when, and that count, rate and time left are right."""

import io

import pytest
from rich.console import Console

from dentasam.progress import PlainProgress, duration, shown


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines_of(seconds_each: float, total: int, first: float = 5.0, already: int = 0) -> list[str]:
    """What is printed of `total` units that take the same time."""
    clock, printed = Clock(), []  # type: ignore[var-annotated]
    update = PlainProgress("evaluation", "images", printed.append, first=first, already=already, clock=clock)
    for done in range(already + 1, total + 1):
        clock.now += seconds_each
        update(done, total, f"note {done}")
    return printed


def test_slow_work_says_a_line_after_each_unit_with_the_time_left() -> None:
    printed = lines_of(90.0, 21)
    assert len(printed) == 21
    assert printed[0] == "evaluation: 1/21 images, 90.0 s for each of the images, 30:00 left, note 1"
    assert printed[19] == "evaluation: 20/21 images, 90.0 s for each of the images, 1:30 left, note 20"
    assert printed[20] == "evaluation: 21/21 images, 90.0 s for each of the images, in 31:30, note 21"


def test_fast_work_says_one_every_half_minute_and_one_at_the_end() -> None:
    printed = lines_of(0.25, 400)
    # The first after 5 s, then every 30 s, and the end at 100 s.
    assert [line.split(" ")[1] for line in printed] == ["20/400", "140/400", "260/400", "380/400", "400/400"]
    assert printed[0] == "evaluation: 20/400 images, 4.00 images/s, 1:35 left, note 20"
    assert printed[-1] == "evaluation: 400/400 images, 4.00 images/s, in 1:40, note 400"


def test_short_work_says_nothing_unless_a_line_is_wanted() -> None:
    assert lines_of(0.1, 30) == []
    assert [line.split(" ")[1] for line in lines_of(0.1, 30, first=0.0)] == ["1/30", "30/30"]
    assert [line.split(" ")[1] for line in lines_of(0.1, 1, first=0.0)] == ["1/1"]


def test_what_was_done_before_does_not_count_as_speed() -> None:
    printed = lines_of(10.0, 44, already=40)
    assert printed[0] == "evaluation: 41/44 images, 10.0 s for each of the images, 0:30 left, note 41"


def test_work_that_stands_still_repeats_nothing() -> None:
    clock, printed = Clock(), []  # type: ignore[var-annotated]
    update = PlainProgress("encoding", "images", printed.append, clock=clock)
    for _ in range(1000):
        clock.now += 10
        update(3, 5)
    assert len(printed) == 1
    update(5, 5)
    update(5, 5)
    assert len(printed) == 2


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3723, "1:02:03")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_terminal_gets_a_bar_and_a_file_gets_lines() -> None:
    for terminal in (False, True):
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=200, color_system=None)
        with shown("evaluation", "images", console, first=0) as update:
            update(1, 2, "[Dice] 0.5")
            update(2, 2, "[Dice] 0.6")
        printed = text.getvalue()
        assert "2/2" in printed
        assert "[Dice] 0.6" in printed
        assert ("━" in printed) is terminal
        if not terminal:
            assert [line.split(",")[0] for line in printed.splitlines()] == [
                "evaluation: 1/2 images",
                "evaluation: 2/2 images",
            ]
