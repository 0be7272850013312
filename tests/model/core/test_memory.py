import platform
import sys

import pytest

from dentasam.model.core.memory import keep_freed_memory, release_freed_memory, share_one_arena


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's"
)
def test_glibc_takes_the_settings() -> None:
    assert keep_freed_memory()
    held = [bytes(1 << 20) for _ in range(50)]
    last = bytes(1 << 20)
    del held
    assert release_freed_memory()
    assert len(last) == 1 << 20
    assert share_one_arena()


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
    assert not release_freed_memory()
    assert not share_one_arena()
