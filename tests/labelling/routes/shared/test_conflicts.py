"""Requests that meet a conflict wait before they are answered, so that clients that send again at once are spread."""

from dataclasses import replace
from uuid import uuid4

import anyio

from dentasam.labelling.log.operations import parse_operations
from dentasam.labelling.routes.shared.conflicts import FIRST_WAIT, LONGEST_WAIT, ConflictWaits

from ...running import Running, create, masked, opened, square


class Sleeper:
    """A sleep that ends when it is told to; `asked` are the longest waits that were drawn from."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.awake = anyio.Event()

    def uniform(self, low: float, high: float) -> float:
        assert low == 0
        self.asked.append(high)
        return high

    async def sleep(self, seconds: float) -> None:
        assert seconds == self.asked[-1]
        await self.awake.wait()


def test_the_more_requests_wait_on_a_case_the_longer_the_next_waits() -> None:
    async def main() -> None:
        sleeper = Sleeper()
        waits = ConflictWaits(sleeper.sleep, sleeper.uniform)
        async with anyio.create_task_group() as group:
            for _ in range(12):
                group.start_soon(waits.wait, 1)
            await anyio.wait_all_tasks_blocked()
            assert sleeper.asked == [min(FIRST_WAIT * n, LONGEST_WAIT) for n in range(1, 13)]
            group.start_soon(waits.wait, 2)
            await anyio.wait_all_tasks_blocked()
            assert sleeper.asked[-1] == FIRST_WAIT
            sleeper.awake.set()
        await waits.wait(1)
        assert sleeper.asked[-1] == FIRST_WAIT

    anyio.run(main)


def test_a_request_that_ends_while_it_waits_is_not_counted_any_more() -> None:
    async def main() -> None:
        sleeper = Sleeper()
        waits = ConflictWaits(sleeper.sleep, sleeper.uniform)
        async with anyio.create_task_group() as group:
            group.start_soon(waits.wait, 1)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        sleeper.awake.set()
        await waits.wait(1)
        assert sleeper.asked == [FIRST_WAIT] * 2

    anyio.run(main)


def test_a_conflict_is_answered_with_what_came_while_it_waited(server: Running) -> None:
    object, late = str(uuid4()), str(uuid4())
    server.append([create(object), masked(object, square(1, 2, 3))], 0)

    async def meanwhile(_: float) -> None:
        server.store.append(1, parse_operations([create(late)]), 2, "somebody")

    server.app.state.context = replace(server.app.state.context, conflicts=ConflictWaits(meanwhile))
    answer = server.append([masked(object, square(4, 5, 6))], 1)
    assert (answer.status_code, answer.headers["etag"]) == (409, '"3"')
    assert [operation["object"] for operation in opened(answer)["operations"]] == [object, late]
    assert server.append([masked(object, square(4, 5, 6))], 3).status_code == 200
