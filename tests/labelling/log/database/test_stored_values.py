import math

import pytest

from dentasam.labelling.log.database.stored_values import count, seconds, share, text

NONE = [None, "zz", "", b"\xff", "0.5", True, float("nan"), math.inf, -math.inf, -1, -0.5]


@pytest.mark.parametrize("stored", NONE)
def test_what_cannot_be_meant_is_unknown(stored: object) -> None:
    assert share(stored) is None
    assert seconds(stored) == 0
    assert count(stored) is None


def test_what_can_be_meant_stays() -> None:
    assert [share(stored) for stored in (0, 0.25, 1, 1.5, 2)] == [0, 0.25, 1, None, None]
    assert [seconds(stored) for stored in (0, 2, 2.5)] == [0, 2, 2.5]
    assert [count(stored) for stored in (0, 7, 7.0)] == [0, 7, None]
    assert [text(stored) for stored in ("", "a", b"a", 1, None)] == ["", "a", None, None, None]
