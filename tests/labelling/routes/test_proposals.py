"""What the page sees of proposals, the switch, and numbers for objects."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from dentasam.labelling.inference.encoding.charted_image import ChartedImage, ChartedObject
from dentasam.labelling.routes.shared.documents import MAX_OBJECTS

from ..running import IDENTITY, Running, create, masked, opened, square


@pytest.fixture
def charting(server: Running) -> Running:
    server.model.chart_key = "head"
    return server


def charted(server: Running, case: int = 1) -> None:
    """As the queue does after the case was encoded."""
    found = ChartedObject(square(3, 4, 5), "36", (5.0, 6.0), 0.5, 0.75, "window")
    served: Any = SimpleNamespace(chart_key="head", identity=IDENTITY)
    server.proposer.take(case, server.model.picture(case), served, ChartedImage((found,), 0.25))


def case_document(server: Running, case: int = 1) -> Any:
    return opened(server.client.get(f"/api/cases/{case}"))


def test_a_model_without_a_chart_head_proposes_nothing(server: Running) -> None:
    assert case_document(server)["proposals"] == "off"
    session = server.client.get("/api/session").json()
    assert (session["proposals"], session["numbers"]) == (None, False)
    server.client.post("/api/cases/1/open")
    assert server.client.get("/api/progress").json()["proposing"] == []
    assert server.client.put("/api/proposals", json={"on": True}).status_code == 422
    assert server.client.post("/api/cases/1/number", json={"objects": [{"id": "a"}]}).status_code == 422


def test_an_opened_case_waits_for_its_proposals_and_then_has_them(charting: Running) -> None:
    assert case_document(charting)["proposals"] == "pending"
    assert charting.client.get("/api/progress").json()["proposing"] == []
    charting.client.post("/api/cases/1/open")
    assert charting.client.get("/api/progress").json()["proposing"] == [1]
    charted(charting)
    assert charting.client.get("/api/progress").json()["proposing"] == []
    document = case_document(charting)
    assert document["proposals"] == "there"
    (found,) = document["objects"]
    assert (found["category"], found["proposed"], found["confidence"], found["score"]) == ("36", True, 0.75, 0.5)
    assert found["prompts"] == {"clicks": [[5.0, 6.0, 1]], "box": None}
    assert (document["case"]["objects"], document["case"]["proposed"]) == (0, 1)
    (row, _) = charting.client.get("/api/cases").json()
    assert (row["objects"], row["proposed"], row["status"]) == (0, 1, "new")
    # They come to a page that has the case open as the work of others does.
    log = opened(charting.client.get("/api/cases/1/operations?since=0"))
    assert [(each["kind"], each["annotator"]) for each in log["operations"]] == [("create", "(model)")]


def test_a_case_that_cannot_be_encoded_waits_for_nothing(charting: Running) -> None:
    charting.model.failed = {1: "a.png is damaged"}
    charting.client.post("/api/cases/1/open")
    assert charting.client.get("/api/progress").json()["proposing"] == []
    assert case_document(charting)["proposals"] == "none"


def test_the_switch_turns_them_off_for_the_workspace(charting: Running) -> None:
    session = charting.client.get("/api/session").json()
    assert (session["proposals"], session["numbers"]) == (True, True)
    assert charting.client.put("/api/proposals", json={"on": False}).json() == {"on": False}
    assert charting.client.get("/api/session").json()["proposals"] is False
    assert case_document(charting)["proposals"] == "off"
    assert charting.model.charted_again == 0
    charting.client.put("/api/proposals", json={"on": True})
    assert charting.model.charted_again == 1
    assert case_document(charting)["proposals"] == "pending"


@dataclass
class Numberer:
    """Numbers every object 36 but for those that are known."""

    chart_key: str = "head"
    asked: list[tuple[tuple[int, int], list[list[float]], list[str | None], list[Any]]] = field(default_factory=list)

    def number(self, boxes: np.ndarray, size: tuple[int, int], known: list[str | None], masks: list[Any]) -> Any:
        self.asked.append((size, boxes.tolist(), list(known), masks))
        others = [(number, 0.25) for number in ("36", "46", "37", "35", "26")]
        return SimpleNamespace(
            numbers=[name or "36" for name in known],
            confidences=np.array([1.0 if name else 0.5 for name in known]),
            alternatives=[others] * len(known),
        )


def test_an_object_is_numbered_beside_all_others(charting: Running) -> None:
    numberer = charting.model.numberer = Numberer()
    charted(charting)
    tooth, filling, unnamed = (str(uuid4()) for _ in range(3))
    operations = [
        create(tooth, category="37"),
        masked(tooth, square(20, 10, 6)),
        create(filling, category="filling"),
        masked(filling, square(22, 12, 2)),
        create(unnamed),
        masked(unnamed, square(40, 10, 6)),
    ]
    assert charting.append(operations, 1).status_code == 200
    asked = [
        {"id": "new", "box": [30, 10, 37, 20]},
        {"id": unnamed},
        {"id": "b", "box": [50, 10, 56, 16], "number": "38"},
    ]
    answer = charting.client.post("/api/cases/1/number", json={"objects": asked})
    assert answer.status_code == 200
    assert [each["id"] for each in answer.json()["objects"]] == ["new", unnamed]
    (first, _) = answer.json()["objects"]
    assert [(each["number"], each["confidence"]) for each in first["offers"]] == [
        ("36", 0.5),
        ("46", 0.25),
        ("37", 0.25),
        ("35", 0.25),
    ]
    ((size, boxes, known, masks),) = numberer.asked
    assert size == (40, 60)
    rows = sorted(zip(boxes, known, strict=True), key=lambda row: row[0])
    assert rows == [
        ([3, 4, 8, 9], None),  # the proposal, whose number nobody has confirmed
        ([20, 10, 26, 16], "37"),
        ([30, 10, 37, 20], None),
        ([40, 10, 46, 16], None),
        ([50, 10, 56, 16], "38"),
    ]
    # Stored masks count with their shapes; of a new object there is only the box.
    shapes = {tuple(box): None if mask is None else mask.bits.shape for box, mask in zip(boxes, masks, strict=True)}
    assert shapes == {
        (3, 4, 8, 9): (5, 5),
        (20, 10, 26, 16): (6, 6),
        (30, 10, 37, 20): None,
        (40, 10, 46, 16): (6, 6),
        (50, 10, 56, 16): None,
    }
    assert charting.store.case(1).revision == 7


def test_a_proposals_number_counts_once_it_is_accepted(charting: Running) -> None:
    numberer = charting.model.numberer = Numberer()
    charted(charting)
    (found,) = charting.store.state(1).present
    accept = {"id": str(uuid4()), "kind": "accept", "object": found.id, "time": 1, "data": {"accepted": True}}
    charting.append([accept], 1)
    charting.client.post("/api/cases/1/number", json={"objects": [{"id": "new", "box": [30, 10, 37, 20]}]})
    assert numberer.asked[0][2] == [None, "36"]


def test_nothing_is_asked_where_every_object_has_a_number_or_no_box(charting: Running) -> None:
    numberer = charting.model.numberer = Numberer()
    for objects in ([{"id": "a", "box": [0, 0, 5, 5], "number": "36"}], [{"id": "unknown"}]):
        answer = charting.client.post("/api/cases/1/number", json={"objects": objects})
        assert answer.json() == {"objects": [], "seconds": 0.0}
    assert numberer.asked == []


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [{"id": "a", "box": [0, 0, 5]}],
        [{"id": "a", "extra": 1}],
        [{"id": f"a{i}"} for i in range(MAX_OBJECTS + 1)],
    ],
)
def test_a_wrong_request_for_numbers_is_refused(charting: Running, objects: list[Any]) -> None:
    assert charting.client.post("/api/cases/1/number", json={"objects": objects}).status_code == 422
    assert charting.client.post("/api/cases/9/number", json={"objects": [{"id": "a"}]}).status_code == 404
