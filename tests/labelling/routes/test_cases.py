"""The worklist, cases and their logs over HTTP."""

import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from dentasam.labelling.auth.middleware import MASK_BODY_BYTES
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack
from dentasam.labelling.workspace.workspace import Workspace

from ..running import HEIGHT, WIDTH, Running, create, folder_of_images, masked, opened, running, square


def test_the_worklist(server: Running) -> None:
    first, second = server.client.get("/api/cases").json()
    assert (first["name"], first["width"], first["height"], first["bits"]) == ("a.png", WIDTH, HEIGHT, 8)
    assert (second["name"], second["bits"]) == ("b.png", 16)
    assert (first["encoded"], second["encoded"]) == (True, False)
    assert (first["status"], first["revision"], first["objects"], first["comments"]) == ("new", 0, 0, 0)
    server.store.set_uncertainty(1, 0.25)
    assert server.client.get("/api/cases").json()[0]["uncertainty"] == 0.25


@pytest.mark.parametrize("stored", ["9e999", "-0.5", "2", "'zz'", "x'ff00'"])
def test_an_uncertainty_that_is_none_is_unknown(server: Running, stored: str) -> None:
    with writing(server.store.engine) as connection:
        connection.execute(text(f"UPDATE cases SET uncertainty = {stored} WHERE id = 1"))
    (row, _), case = server.client.get("/api/cases").json(), opened(server.client.get("/api/cases/1"))["case"]
    assert (row["uncertainty"], row["damaged"]) == (case["uncertainty"], case["damaged"]) == (None, False)


@pytest.mark.parametrize("column", ["name", "width", "height", "bits", "status", "revision", "updated", "charted"])
def test_a_case_with_a_value_of_another_kind_leaves_the_worklist_whole(server: Running, column: str) -> None:
    for stored in ("9e999", "0.5", "'zz'", "x'ff00'"):
        with writing(server.store.engine) as connection:
            connection.execute(text(f"UPDATE cases SET {column} = {stored} WHERE id = 1"))
        rows = {row["id"]: row for row in server.client.get("/api/cases").json()}
        about = [rows[1][key] for key in ("name", "width", "height", "bits", "status", "revision")]
        assert about == ["a.png", WIDTH, HEIGHT, 8, "new", 0]
        assert rows[2]["name"] == "b.png"
        # What cannot be rebuilt is named.
        case = server.client.get("/api/cases/1")
        assert case.status_code == (503 if rows[1]["damaged"] else 200)
        assert rows[1]["damaged"] is (column in ("name", "width", "height", "bits"))


@pytest.mark.parametrize("stored", ["start = -9e999", "stop = 9e999", "stop = 'zz'"])
def test_active_time_that_is_no_time_is_not_counted(server: Running, stored: str) -> None:
    spans = [{"tool": "click", "start": 1_000_000, "seconds": 5.0}]
    assert server.client.post("/api/cases/1/time", json={"intervals": spans}).status_code == 204
    assert server.client.get("/api/cases").json()[0]["active_seconds"] == 5
    with writing(server.store.engine) as connection:
        connection.execute(text(f"UPDATE intervals SET {stored}"))
    assert server.client.get("/api/cases").json()[0]["active_seconds"] == 0
    assert opened(server.client.get("/api/cases/1"))["case"]["active_seconds"] == 0


def test_operations_come_back_as_they_were_sent(server: Running) -> None:
    tooth, mask, painted = str(uuid4()), square(3, 4, 5), square(3, 4, 2)
    sent = [create(tooth, category="36"), masked(tooth, mask, painted=painted)]
    answer = server.append(sent, 0)
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, {"revision": 2, "stored": 2}, '"2"')

    case = server.client.get("/api/cases/1")
    assert case.headers["etag"] == '"2"'
    document = opened(case)
    assert document["case"]["status"] == "in-progress"
    assert document["case"]["objects"] == 1
    (shown,) = document["objects"]
    assert (shown["id"], shown["category"], shown["area"], shown["annotator"]) == (tooth, "36", 25, "me")
    assert shown["mask"] == mask
    assert shown["painted"] == painted
    assert shown["erased"].area == 0

    log = opened(server.client.get("/api/cases/1/operations"))
    assert log["revision"] == 2
    assert [operation["id"] for operation in log["operations"]] == [operation["id"] for operation in sent]
    assert [operation["revision"] for operation in log["operations"]] == [1, 2]
    assert log["operations"][1]["mask"] == mask
    assert {operation["annotator"] for operation in log["operations"]} == {"me"}
    later = opened(server.client.get("/api/cases/1/operations?since=1"))
    assert [operation["id"] for operation in later["operations"]] == [sent[1]["id"]]
    assert opened(server.client.get("/api/cases/2"))["objects"] == []


def test_sending_again_stores_nothing_twice(server: Running) -> None:
    sent = [create(str(uuid4()))]
    server.append(sent, 0)
    again = server.append(sent, 0)
    assert (again.status_code, again.json()) == (200, {"revision": 1, "stored": 0})
    assert len(server.store.operations(1)) == 1


def test_a_stale_revision_is_a_conflict_that_shows_what_is_new(server: Running) -> None:
    theirs, other = str(uuid4()), str(uuid4())
    server.append([create(other)], 0)
    unseen = [create(theirs), masked(theirs, square(1, 2, 3))]
    server.append(unseen, 1)
    mine = masked(theirs, square(4, 5, 6))
    answer = server.append([mine], 1)
    assert (answer.status_code, answer.headers["etag"]) == (409, '"3"')
    document = opened(answer)
    assert document["revision"] == 3
    assert [operation["id"] for operation in document["operations"]] == [operation["id"] for operation in unseen]
    assert document["operations"][1]["mask"] == square(1, 2, 3)
    assert [shown["id"] for shown in document["objects"]] == [theirs]
    assert document["objects"][0]["mask"] == square(1, 2, 3)
    assert server.store.state(1).objects[theirs].mask == square(1, 2, 3)
    assert server.append([mine], 3).status_code == 200
    assert server.store.state(1).objects[theirs].mask == square(4, 5, 6)


def at_once(server: Running, objects: list[str]) -> list[int]:
    """The statuses of the answers to writers who each create an object on the empty case."""
    statuses: list[int] = []

    def write(object: str) -> None:
        statuses.append(server.append([create(object)], 0).status_code)

    threads = [threading.Thread(target=write, args=(object,)) for object in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_of_writers_of_one_object_at_once_one_wins(server: Running) -> None:
    assert at_once(server, [str(uuid4())] * 8) == [200] + [409] * 7
    assert server.store.case(1).revision == 1


def test_writers_of_different_objects_do_not_disturb_each_other(server: Running) -> None:
    objects = [str(uuid4()) for _ in range(8)]
    assert at_once(server, objects) == [200] * 8
    assert server.store.case(1).revision == 8
    assert server.store.state(1).objects.keys() == set(objects)


def test_a_write_names_the_revision_it_saw(server: Running) -> None:
    document = {"operations": [create(str(uuid4()))]}
    without = server.post("/api/cases/1/operations", document)
    assert without.status_code == 428
    for wrong in ("0", "*", 'W/"0"', '"x"', '"-1"', '"0", "1"', '""'):
        assert server.post("/api/cases/1/operations", document, If_Match=wrong).status_code == 422, wrong
    assert server.store.case(1).revision == 0


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"operations": {}},
        {"operations": [], "more": 1},
        {"operations": [{"kind": "explode"}]},
        {"operations": [create("no uuid")]},
        {"operations": [{**create(str(uuid4())), "html": "<b>"}]},
        {"operations": [create(str(uuid4()), category="x" * 300)]},
        {"operations": [create(str(uuid4()), category="a\x00b")]},
        {"operations": [masked(str(uuid4()), square(0, 0, 2))]},
        {"operations": [{**create(str(uuid4())), "mask": square(WIDTH - 1, 0, 2)}]},
        {"operations": [{**create(str(uuid4())), "id": 7}]},
        {"operations": [create(str(uuid4()))] * 2001},
    ],
)
def test_operations_that_are_refused(server: Running, document: Any) -> None:
    answer = server.post("/api/cases/1/operations", document, If_Match='"0"')
    assert answer.status_code == 422, answer.text
    assert len(answer.json()["detail"].splitlines()) == 1
    assert server.store.case(1).revision == 0


@pytest.mark.parametrize("written", ["1.0", "+1", "%201", "0_1", "\u0661"])
def test_numbers_of_an_address_are_digits(server: Running, written: str) -> None:
    for path in (f"/api/cases/{written}", f"/api/cases/1/operations?since={written.replace('+', '%2B')}"):
        answer = server.client.get(path)
        assert (answer.status_code, "in digits" in answer.json()["detail"]) == (422, True), path


def test_a_body_that_is_too_large_is_refused(server: Running) -> None:
    headers = {"Content-Type": MEDIA_TYPE, "If-Match": '"0"', "Content-Length": str(MASK_BODY_BYTES + 1)}
    answer = server.client.post("/api/cases/1/operations", content=b"DSM1", headers=headers)
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"the body is too large; at most {MASK_BODY_BYTES} bytes are taken here"


def test_a_case_that_is_no_longer_in_the_folder_is_not_served(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder):
        pass
    (folder / "a.png").unlink()
    with running(folder) as server:
        assert [case["name"] for case in server.client.get("/api/cases").json()] == ["b.png"]
        assert server.client.get("/api/cases/1").status_code == 404
        assert server.client.get("/api/cases/2").status_code == 200


def test_a_workspace_serves_only_its_own_images(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder) as server, pytest.raises(Exception, match="in use"):
        Workspace.open(server.workspace.folder)


def test_envelopes_are_packed_anew(server: Running) -> None:
    assert server.client.get("/api/cases/1").content == pack(opened(server.client.get("/api/cases/1")))


@pytest.mark.parametrize(
    "expected", [{"X_Workspace": "another"}, {"X_Annotator": "j%C3%BCrgen"}, {"X_Workspace": "", "X_Annotator": "me"}]
)
def test_a_request_meant_for_another_workspace_or_annotator_stores_nothing(
    server: Running, expected: dict[str, str]
) -> None:
    operations = {"operations": [create(str(uuid4()))]}
    refused = server.post("/api/cases/1/operations", operations, If_Match='"0"', **expected)
    assert refused.status_code == 412
    assert refused.json()["detail"].startswith("another ")
    assert server.store.operations(1) == []
    headers = {name.replace("_", "-"): value for name, value in expected.items()}
    assert server.client.get("/api/cases/1/operations", headers=headers).status_code == 412


def test_a_request_that_names_its_own_workspace_and_annotator_is_stored(server: Running) -> None:
    expected = {"X_Workspace": server.workspace.id, "X_Annotator": "me"}
    operations = {"operations": [create(str(uuid4()))]}
    stored = server.post("/api/cases/1/operations", operations, If_Match='"0"', **expected)
    assert (stored.status_code, stored.json()) == (200, {"revision": 1, "stored": 1})


def test_the_worklist_marks_cases_whose_damage_was_met(server: Running) -> None:
    tooth = str(uuid4())
    server.append([create(tooth), masked(tooth, square(3, 4, 5))], 0)
    worklist = server.client.get("/api/progress").json()["worklist"]
    with writing(server.store.engine) as connection:
        connection.execute(text("UPDATE objects SET category = 'bent'"))
        connection.execute(text("UPDATE operations SET annotator = 'bent'"))
    assert [one["damaged"] for one in server.client.get("/api/cases").json()] == [False, False]
    document = opened(server.client.get("/api/cases/1"))
    assert document["case"]["damaged"]
    assert [part["object"] for part in document["damaged"]] == [tooth]
    assert [one["damaged"] for one in server.client.get("/api/cases").json()] == [True, False]
    # Other pages read the list again.
    assert server.client.get("/api/progress").json()["worklist"] == worklist + 1


def test_a_case_that_opens_says_that_its_comments_are_damaged(server: Running) -> None:
    server.store.add_comment(1, "anna", "see the root")
    with writing(server.store.engine) as connection:
        connection.execute(text("UPDATE comments SET text = 'bent'"))
    assert opened(server.client.get("/api/cases/1"))["case"]["damaged"]
    assert not opened(server.client.get("/api/cases/2"))["case"]["damaged"]
