"""What one client asks for does not keep the others waiting, and what is too much is refused for the moment."""

import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from fastapi import Request
from sqlalchemy import text

from dentasam.errors import ImageError
from dentasam.labelling.exchange.import_bounds import ImportBounds, ImportStopped
from dentasam.labelling.log.database import opening
from dentasam.labelling.routes.shared import capacity, context
from dentasam.labelling.routes.shared.capacity import Budget, ServerBusy, imported_for, in_threads_of
from dentasam.labelling.routes.shared.conflicts import ConflictWaits
from dentasam.labelling.routes.shared.predictions import Predictions
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack

from ...running import BASE, TOKEN, Running, create, folder_of_images, running, square

PREDICT = pack({"objects": [{"id": "one", "clicks": [[3, 3, 1]]}]})
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": MEDIA_TYPE}
LIMIT_SECONDS = 30


def together(server: Running, work: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
    """Runs requests beside each other in one event loop."""

    async def main() -> None:
        transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
        with anyio.fail_after(LIMIT_SECONDS):
            async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=HEADERS) as client:
                await work(client)

    anyio.run(main)


def test_predictions_that_wait_for_an_encoding_hold_no_thread(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = threading.Event()
    monkeypatch.setattr(server.model, "request", lambda case: encoded.is_set())
    monkeypatch.setattr(server.model, "waits", lambda case: not encoded.is_set(), raising=False)

    async def work(client: httpx.AsyncClient) -> None:
        answers: list[int] = []

        async def predict() -> None:
            answers.append((await client.post("/api/cases/1/predict", content=PREDICT)).status_code)

        async with anyio.create_task_group() as group:
            for _ in range(45):
                group.start_soon(predict)
            body = pack({"operations": [create(str(uuid4()), category="36")]})
            appended = await client.post("/api/cases/2/operations", content=body, headers={"If-Match": '"0"'})
            assert appended.status_code == 200
            assert (await client.get("/api/cases/2")).status_code == 200
            assert answers == []
            encoded.set()
        assert answers == [200] * 45

    together(server, work)


def test_conflicts_that_wait_hold_no_thread(server: Running) -> None:
    object = str(uuid4())
    server.append([create(object)], 0)
    changed = [{**create(object), "kind": "relabel", "data": {"category": "36"}}]
    assert server.append(changed, 1).status_code == 200
    body = {"operations": [changed[0] | {"id": str(uuid4()), "data": {"category": "37"}}]}
    behind, other = {"If-Match": '"1"'}, pack({"operations": [create(str(uuid4()))]})
    count = 2 * capacity.THREADS["writes"]

    async def work(client: httpx.AsyncClient) -> None:
        asleep, awake = anyio.Semaphore(0), anyio.Event()
        answers: list[int] = []

        async def sleep(_: float) -> None:
            asleep.release()
            await awake.wait()

        async def conflict() -> None:
            answer = await client.post("/api/cases/1/operations", content=pack(body), headers=behind)
            answers.append(answer.status_code)

        server.app.state.context = replace(server.app.state.context, conflicts=ConflictWaits(sleep))
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(conflict)
            for _ in range(count):
                await asleep.acquire()
            stored = await client.post("/api/cases/1/operations", content=other, headers=behind)
            assert stored.status_code == 200
            assert answers == []
            awake.set()
        assert answers == [409] * count

    together(server, work)


def test_only_so_many_predictions_wait(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.model, "request", lambda case: False)
    monkeypatch.setattr(server.model, "waits", lambda case: True, raising=False)
    waiting = Predictions(server.model, max_waiting=0)  # type: ignore[arg-type]
    server.app.state.context = replace(server.app.state.context, predictions=waiting)
    answer = server.client.post("/api/cases/1/predict", content=PREDICT, headers=HEADERS)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "try again" in answer.json()["detail"]


def test_an_image_that_cannot_be_encoded_ends_the_wait(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(case: int) -> bool:
        raise ImageError("a.png is damaged")

    monkeypatch.setattr(server.model, "request", lambda case: False)
    monkeypatch.setattr(server.model, "waits", waits, raising=False)
    assert server.client.post("/api/cases/1/predict", content=PREDICT, headers=HEADERS).status_code == 410


def test_writes_go_on_while_every_other_thread_is_busy(server: Running) -> None:
    free = threading.Event()

    async def work(client: httpx.AsyncClient) -> None:
        async with anyio.create_task_group() as group:
            for kind in ("reads", "model", "files", "imports"):
                for _ in range(capacity.THREADS[kind]):
                    group.start_soon(in_threads_of, kind, free.wait, LIMIT_SECONDS)
            for _ in range(int(anyio.to_thread.current_default_thread_limiter().total_tokens)):
                group.start_soon(anyio.to_thread.run_sync, free.wait, LIMIT_SECONDS)
            body = pack({"operations": [create(str(uuid4()), category="36")]})
            headers = {"If-Match": '"0"', "X-Annotator": "me"}
            assert (await client.post("/api/cases/1/operations", content=body, headers=headers)).status_code == 200
            comment = await client.post(
                "/api/cases/1/comments", json={"text": "a"}, headers={"Content-Type": "application/json"}
            )
            assert comment.status_code == 201
            free.set()

    together(server, work)


def test_masks_beyond_what_the_server_may_hold_are_refused_for_the_moment(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(400, 0, "masks")
    monkeypatch.setattr(context, "PIXELS_AT_ONCE", budget)
    wanted = {"id": "one", "clicks": [[3, 3, 1]], "previous": square(0, 0, 20), "painted": square(0, 0, 5)}
    answer = server.post("/api/cases/1/predict", {"objects": [wanted]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    del wanted["painted"]
    for _ in range(3):
        assert server.post("/api/cases/1/predict", {"objects": [wanted]}).status_code == 200


def test_bodies_beyond_what_the_server_may_hold_are_refused_for_the_moment(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "BODY_BYTES_AT_ONCE", Budget(len(PREDICT) - 1, 0, "large requests"))
    answer = server.client.post("/api/cases/1/predict", content=PREDICT, headers=HEADERS)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    budget = Budget(len(PREDICT), 0, "large requests")
    monkeypatch.setattr(context, "BODY_BYTES_AT_ONCE", budget)
    for _ in range(3):
        assert server.client.post("/api/cases/1/predict", content=PREDICT, headers=HEADERS).status_code == 200


def test_a_budget_counts_what_is_beyond_the_free_part_of_each_claim() -> None:
    budget = Budget(10, 5, "bytes")
    budget.claim(0, 3)
    budget.claim(3, 4)  # 7 in all, of which 2 count
    with budget.claimed(13), pytest.raises(ServerBusy):
        budget.claim(0, 6)
    with pytest.raises(ServerBusy):
        budget.claim(0, 14)
    budget.release(7)
    with budget.claimed(15):
        budget.claim(0, 5)


def test_a_database_that_others_hold_is_no_error_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_SECONDS", 0.05)
    with running(folder_of_images(tmp_path / "images")) as server:
        other = server.store.engine.connect().execution_options(dentasam_write=True)
        with other, other.begin():
            other.execute(text("UPDATE cases SET revision = revision"))
            operation = create(str(uuid4()), category="36")
            answer = server.append([operation], 0)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert "nothing was stored" in answer.json()["detail"]
        assert server.append([operation], 0).json() == {"revision": 1, "stored": 1}


class Client:
    """The client of a request, which hangs up when it is told to."""

    def __init__(self) -> None:
        self.gone = False
        self.request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        while not self.gone:
            await anyio.sleep(0.001)
        return {"type": "http.disconnect"}


def test_imports_whose_clients_hang_up_give_their_places_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "WATCH_SECONDS", 0.001)
    began: list[str] = []
    running, ended = threading.Event(), list[str]()

    def endless(bounds: ImportBounds, name: str) -> None:
        began.append(name)
        running.set()
        while True:
            bounds.check()
            time.sleep(0.001)

    def quick(bounds: ImportBounds, name: str) -> str:
        began.append(name)
        bounds.check()
        return name

    async def stopped(client: Client, name: str) -> None:
        with pytest.raises(ImportStopped):
            await imported_for(client.request, endless, name)
        ended.append(name)

    async def main() -> None:
        with anyio.fail_after(LIMIT_SECONDS):
            first, waits = Client(), Client()
            async with anyio.create_task_group() as group:
                group.start_soon(stopped, first, "first")
                while not running.is_set():
                    await anyio.sleep(0.001)
                group.start_soon(stopped, waits, "waits")
                await anyio.sleep(0.01)
                # It never had its turn.
                waits.gone = True
                while ended != ["waits"]:
                    await anyio.sleep(0.001)
                first.gone = True
            assert await imported_for(Client().request, quick, "last") == "last"

    anyio.run(main)
    assert (began, ended) == (["first", "last"], ["waits", "first"])
