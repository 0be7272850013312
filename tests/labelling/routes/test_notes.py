"""Comments and active time over HTTP."""

import csv
import io
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ..running import Running, folder_of_images, opened, running


def test_comments_are_plain_text(server: Running) -> None:
    text = "Apex of 36?\n<script>alert(1)</script>"
    made = server.client.post("/api/cases/1/comments", json={"text": text})
    assert made.status_code == 201
    assert (made.json()["text"], made.json()["annotator"]) == (text, "me")
    assert server.client.get("/api/cases/1/comments").json() == [made.json()]
    assert opened(server.client.get("/api/cases/1"))["comments"] == [made.json()]
    assert made.headers["content-type"] == "application/json"
    assert server.client.get("/api/cases").json()[0]["comments"] == 1
    for refused in ("", " \n", "x" * 5001, "a\x00b", "a\x1b[31mb", None, 7):
        assert server.client.post("/api/cases/1/comments", json={"text": refused}).status_code == 422, refused


def test_time_is_added_up(server: Running) -> None:
    intervals: list[dict[str, Any]] = [
        {"tool": "brush", "object": None, "start": 1_700_000_000_000, "seconds": 4.5},
        {"tool": "click", "object": str(uuid4()), "start": 1_700_000_010_000, "seconds": 2},
    ]
    for _ in range(2):
        assert server.client.post("/api/cases/1/time", json={"intervals": intervals}).status_code == 204
    assert server.client.get("/api/cases").json()[0]["active_seconds"] == pytest.approx(6.5)
    table = server.client.get("/api/export/timing")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert sum(float(row["seconds"]) for row in rows if row["scope"] == "case") == pytest.approx(6.5)
    changes: tuple[dict[str, Any], ...] = (
        {"seconds": -1}, {"seconds": 1e9}, {"start": -1}, {"tool": "<b>"}, {"tool": ""}, {"object": "a b"}
    )  # fmt: skip
    for wrong in changes:
        given = {"intervals": [{**intervals[0], **wrong}]}
        assert server.client.post("/api/cases/1/time", json=given).status_code == 422, wrong


def test_a_pause_beyond_the_idle_cut_off_does_not_count(tmp_path: Path) -> None:
    with running(folder_of_images(tmp_path / "images")) as server:
        interval = {"tool": "brush", "object": None, "start": 1_700_000_000_000, "seconds": 3600}
        server.client.post("/api/cases/1/time", json={"intervals": [interval]})
        assert server.client.get("/api/cases").json()[0]["active_seconds"] == pytest.approx(30)
