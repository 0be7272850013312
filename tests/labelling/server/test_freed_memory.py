"""Freed memory is returned when the server has grown, and not before."""

import threading

import pytest

from dentasam.labelling.server import freed_memory
from dentasam.labelling.server.freed_memory import FreedMemory, releasing


def test_it_is_released_only_after_growth() -> None:
    held = [500]
    released: list[int] = []

    def release() -> bool:
        released.append(held[0])
        held[0] -= 100
        return True

    memory = FreedMemory(lambda: held[0], release, most=200)
    # At first all of it counts as growth: loading the model has freed much.
    assert memory.check()
    assert (held, released) == ([400], [500])
    held[0] = 600
    assert not memory.check()
    held[0] = 601
    assert memory.check()
    assert released == [500, 601]
    # From what was left then.
    held[0] = 701
    assert not memory.check()


def test_a_thread_checks_until_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = threading.Semaphore(0)
    monkeypatch.setattr(freed_memory, "resident_bytes", lambda: checked.release() or 0)
    with releasing(every=0):
        for _ in range(3):
            assert checked.acquire(timeout=5)
        assert "freed-memory" in {thread.name for thread in threading.enumerate()}
    assert "freed-memory" not in {thread.name for thread in threading.enumerate()}


def test_where_the_system_does_not_say_it_nothing_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory, "_STATM", freed_memory._STATM / "missing")
    assert not FreedMemory(release=lambda: pytest.fail("released")).check()
