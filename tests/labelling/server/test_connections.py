"""Who goes when there are too many connections: never somebody who has signed in, while a stranger waits."""

from dataclasses import dataclass

import pytest

from dentasam.labelling.server.connections import Connections
from dentasam.labelling.server.limits import (
    MAX_CONNECTIONS,
    RESERVED_DESCRIPTORS,
    ClientLimits,
    affordable_connections,
    connections_within,
)


@dataclass(eq=False)
class Stub:
    signed_in: bool = False
    answering: bool = False
    late: bool = False
    dropped: bool = False

    def overdue(self, now: float) -> bool:
        return self.late

    def drop(self) -> None:
        self.dropped = True


def opened(table: Connections, *stubs: Stub) -> list[Stub]:
    for stub in stubs:
        table.opened(stub)
        table.answered(stub)
    return list(stubs)


def test_the_oldest_stranger_that_waits_makes_room() -> None:
    table = Connections(ClientLimits(connections=6))
    busy, oldest, *others = opened(table, Stub(answering=True), Stub(), Stub())
    (newest,) = opened(table, Stub())
    assert [stub.dropped for stub in (busy, oldest, *others, newest)] == [False, True, False, False]
    assert len(table) == 3


def test_two_thousand_strangers_leave_the_signed_in_alone() -> None:
    table = Connections(ClientLimits(connections=10))
    signed_in = opened(table, *(Stub(signed_in=True) for _ in range(4)))
    strangers = opened(table, *(Stub() for _ in range(2000)))
    assert not any(stub.dropped for stub in signed_in)
    assert sum(not stub.dropped for stub in strangers) == 5
    assert len(table) == 9


def test_a_first_request_that_is_still_answered_is_signed_in() -> None:
    table = Connections(ClientLimits(connections=2))
    first = Stub()
    table.opened(first)
    first.signed_in = True
    opened(table, Stub(), Stub())
    assert not first.dropped


def test_an_idle_connection_makes_room_where_all_are_signed_in() -> None:
    table = Connections(ClientLimits(connections=2))
    busy, idle = opened(table, Stub(signed_in=True, answering=True), Stub(signed_in=True))
    (newest,) = opened(table, Stub(signed_in=True, answering=True))
    assert (busy.dropped, idle.dropped, newest.dropped) == (False, True, False)
    # And the newest itself where all are at work.
    (refused,) = opened(table, Stub())
    assert refused.dropped
    assert len(table) == 2


def test_overdue_ones_go() -> None:
    table = Connections()
    late, waiting, busy, signed_in = opened(
        table, Stub(late=True), Stub(), Stub(answering=True), Stub(signed_in=True)
    )
    table.drop_overdue(1.0)
    assert (late.dropped, waiting.dropped) == (True, False)
    table.drop_waiting(5)
    assert (waiting.dropped, busy.dropped, signed_in.dropped) == (True, False, False)


def test_descriptors_are_left_for_everything_else() -> None:
    assert connections_within(1024) == 1024 - RESERVED_DESCRIPTORS
    assert connections_within(10**6) == MAX_CONNECTIONS
    assert connections_within(256) == 64


def test_the_limit_of_open_files_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append(limits))
    assert affordable_connections() == 4096 - RESERVED_DESCRIPTORS
    assert asked == [(4096, 4096)]

    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert affordable_connections() == 1024 - RESERVED_DESCRIPTORS
