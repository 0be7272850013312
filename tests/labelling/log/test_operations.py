import uuid
from typing import Any

import numpy as np
import pytest

from dentasam.labelling.log.operations import (
    MAX_OPERATIONS,
    ChangeMask,
    OperationError,
    StoredOperation,
    check_masks,
    document_of,
    parse_operation,
    parse_operations,
)
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import pack, unpack

ID, OBJECT = str(uuid.uuid4()), str(uuid.uuid4())
MASK = BoxMask(2, 3, np.ones((4, 5), bool))


def document(kind: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": ID, "kind": kind, "object": OBJECT, "time": 5, "data": data} | more


SOUND = [
    document("create", {"category": None, "parent": None, "source": "manual"}),
    document("create", {"category": "36", "parent": None, "source": "model"}, mask=MASK),
    document("mask", {"tool": "click", "prompts": {"clicks": [[1.5, 2.0, 1]], "box": None}}, mask=MASK),
    document(
        "mask",
        {
            "tool": "brush",
            "stroke": {"shape": "round", "size": 8.0, "points": [[1.0, 2.0], [3.0, 4.0]], "limited": True},
            "model": {"name": "m", "sha256": "ab", "adapter": None, "adapter_sha256": None, "score": 0.5},
        },
        mask=MASK,
        painted=MASK,
        erased=BoxMask.empty(),
        undoes=str(uuid.uuid4()),
    ),
    document("mask", {"tool": "click", "model": {"name": "m", "score": 0.5, "answered_by": "whole"}}, mask=MASK),
    document("relabel", {"category": "11"}),
    document("parent", {"parent": None}),
    document("lock", {"locked": True}),
    document("accept", {"accepted": False}),
    document("delete", {"deleted": False}),
    document("status", {"status": "needs-review"}, object=None),
]


@pytest.mark.parametrize("given", SOUND, ids=lambda given: given["kind"])
def test_an_operation_survives_the_envelope_and_its_model(given: dict[str, Any]) -> None:
    (again,) = parse_operations([unpack(pack(given))])
    sent = document_of(again)
    assert sent.keys() == given.keys()
    # Points are pairs in the model and lists in JSON.
    assert unpack(pack(sent)) == unpack(pack(given))


def test_what_the_server_stamps_is_beside_what_the_page_sent() -> None:
    stored = StoredOperation(parse_operation(SOUND[2]), 7, "ann", "2026-01-01T00:00:00+00:00")
    stamps = {"revision": 7, "annotator": "ann", "received": "2026-01-01T00:00:00+00:00"}
    assert unpack(pack(stored.document())) == unpack(pack(SOUND[2] | stamps))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (document("paint", {}), "kind"),
        (document("mask", {"tool": "click"}), "mask"),
        (document("mask", {"tool": "pen"}, mask=MASK), "tool"),
        (document("mask", {"tool": "click"}, mask={"x": 0}), "mask"),
        (document("lock", {"locked": True}, extra=1), "extra"),
        (document("lock", {"locked": True, "extra": 1}), "extra"),
        (document("lock", {"locked": "perhaps"}), "locked"),
        (document("lock", {"locked": True}, id="1"), "id"),
        (document("lock", {"locked": True}, object=None), "object"),
        (document("status", {"status": "new"}), "object"),
        (document("status", {"status": "open"}, object=None), "status"),
        (document("relabel", {"category": ""}), "category"),
        (document("relabel", {"category": "a\nb"}), "category"),
        (document("relabel", {"category": "a\0b"}), "category"),
        (document("relabel", {"category": "\ud800"}), "category"),
        (document("relabel", {"category": "x" * 201}), "category"),
        (document("lock", {"locked": True}, time=-1), "time"),
        (document("mask", {"tool": "click", "prompts": {"clicks": [[1, 2, 2]]}}, mask=MASK), "clicks"),
        (document("mask", {"tool": "click", "prompts": {"clicks": [[1, float("nan"), 1]]}}, mask=MASK), "clicks"),
        (document("mask", {"tool": "box", "prompts": {"box": [1, 2, 3]}}, mask=MASK), "box"),
        ("text", "operations[0]"),
    ],
)
def test_a_fault_is_named_in_one_line(given: Any, named: str) -> None:
    with pytest.raises(OperationError, match=r"operations\[0\]") as caught:
        parse_operations([given])
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_request_has_a_limit() -> None:
    with pytest.raises(OperationError, match="in parts"):
        parse_operations([SOUND[0]] * (MAX_OPERATIONS + 1))
    with pytest.raises(OperationError, match="not a list"):
        parse_operations({})


def test_a_mask_outside_the_image_is_named() -> None:
    operation = parse_operation(document("mask", {"tool": "brush"}, mask=BoxMask.empty(), painted=MASK))
    assert isinstance(operation, ChangeMask)
    check_masks([operation], height=7, width=7)
    with pytest.raises(OperationError, match="painted in the box 2, 3, 5 x 4 does not fit the image of 6 x 7"):
        check_masks([operation], height=7, width=6)
