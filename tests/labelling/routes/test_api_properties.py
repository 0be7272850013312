"""The API against its own description and against bodies of any bytes: it may refuse, but never fail."""

import contextlib
import json
import struct
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dentasam.labelling.server.app import application
from dentasam.labelling.wire.envelope import MEDIA_TYPE

from ..running import TOKEN, Running, folder_of_images, running

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1:8765"}
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
BOUNDED = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(folder_of_images(tmp_path_factory.mktemp("properties") / "images")) as server:
        yield server


@schemathesis.serializer(MEDIA_TYPE)
def enveloped(context: Any, value: Any) -> bytes:
    """A document as the description has it, with a few runs behind it that its masks may mean."""
    text = json.dumps(value, ensure_ascii=True).encode()
    return b"DSM1" + struct.pack("<I", len(text)) + text + bytes([0, 1, 1, 2, 4, 0])


@schemathesis.deserializer(MEDIA_TYPE)
def document(context: Any, response: Any) -> Any:
    (length,) = struct.unpack("<I", response.content[4:8])
    return json.loads(response.content[8 : 8 + length])


@pytest.fixture(scope="module")
def description(server: Running) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", server.app, headers=HEADERS)


ROUTES_DESCRIBED = [
    (method.upper(), path) for path, methods in application().openapi()["paths"].items() for method in methods
]


@pytest.mark.parametrize(("method", "path"), ROUTES_DESCRIBED)
def test_what_the_description_allows_never_fails(description: Any, method: str, path: str) -> None:
    operation = description[path][method]

    @BOUNDED
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        # Cases that exist, or most answers would be 404.
        if "case_id" in case.path_parameters:
            case.path_parameters["case_id"] = 1 + case.path_parameters["case_id"] % 2
        case.call_and_validate(headers=HEADERS, checks=CHECKS)

    holds()


NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=6), inner, max_size=4),
    ),
    max_leaves=12,
)
MASKS = st.fixed_dictionaries(
    {key: st.integers(-1, 70) for key in ("x", "y", "width", "height", "offset", "length")},
)
OBJECTS = st.sampled_from([str(UUID(int=number)) for number in range(3)])
OPERATIONS = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "kind": st.sampled_from(["create", "mask", "relabel", "parent", "lock", "accept", "delete", "status"]),
        "object": st.one_of(OBJECTS, st.none()),
        "time": st.integers(0, 2**53),
        "data": st.one_of(
            st.fixed_dictionaries({"source": st.just("manual")}, optional={"parent": OBJECTS}),
            st.fixed_dictionaries({"tool": st.sampled_from(["brush", "click"])}),
            st.fixed_dictionaries({"category": st.one_of(st.none(), st.text(max_size=5))}),
            st.fixed_dictionaries({"parent": st.one_of(st.none(), OBJECTS)}),
            st.fixed_dictionaries({"locked": st.booleans()}),
            st.fixed_dictionaries({"status": st.sampled_from(["new", "done"])}),
            VALUES,
        ),
    },
    optional={"mask": MASKS, "painted": MASKS, "undoes": st.uuids().map(str)},
)
BLOBS = st.one_of(st.binary(max_size=24), st.just(bytes([0, 1, 1, 2, 4, 0])))
ROUTES = st.sampled_from(["operations", "predict", "refine"])


def envelope(value: Any, blobs: bytes) -> bytes:
    text = json.dumps(value).encode()
    return b"DSM1" + struct.pack("<I", len(text)) + text + blobs


@settings(BOUNDED, max_examples=60)
@given(route=ROUTES, body=st.one_of(st.binary(max_size=64), st.binary(max_size=64).map(lambda rest: b"DSM1" + rest)))
def test_bytes_that_are_no_envelope_are_refused(server: Running, route: str, body: bytes) -> None:
    assert _post(server, route, body).status_code == 422


@settings(BOUNDED, max_examples=60)
@given(route=ROUTES, value=VALUES, blobs=BLOBS)
def test_documents_of_another_shape_are_refused(server: Running, route: str, value: Any, blobs: bytes) -> None:
    assert _post(server, route, envelope(value, blobs)).status_code == 422


@settings(BOUNDED, max_examples=120)
@given(operations=st.lists(OPERATIONS, max_size=4), revision=st.integers(0, 3), blobs=BLOBS)
def test_operations_are_stored_whole_or_not_at_all(
    server: Running, operations: list[Any], revision: int, blobs: bytes
) -> None:
    before = server.store.case(1).revision
    # Identifiers come again from example to example, and what is stored already is only acknowledged.
    known = {stored.operation.id for stored in server.store.operations(1, masks=False)}
    expected = before if revision == 0 else revision - 1
    answer = _post(server, "operations", envelope({"operations": operations}, blobs), expected)
    assert answer.status_code in (200, 409, 422)
    added = server.store.case(1).revision - before
    assert added == (len({each["id"] for each in operations} - known) if answer.status_code == 200 else 0)
    assert server.client.get("/api/cases/1").status_code == 200


@settings(BOUNDED, max_examples=40)
@given(
    objects=st.lists(
        st.fixed_dictionaries(
            {"id": st.sampled_from(["a", "b"])},
            optional={
                "clicks": st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(-1, 2)), max_size=3),
                "box": st.lists(NUMBERS, min_size=4, max_size=4),
                "previous": MASKS,
            },
        ),
        max_size=2,
    ),
    blobs=BLOBS,
)
def test_questions_to_the_model_never_fail(server: Running, objects: list[Any], blobs: bytes) -> None:
    assert _post(server, "predict", envelope({"objects": objects}, blobs)).status_code in (200, 422)


@settings(BOUNDED, max_examples=80)
@given(
    path=st.sampled_from(["/api/cases/1/comments", "/api/cases/1/time", "/api/import/coco", "/infer/small?image=a"]),
    body=st.one_of(st.binary(max_size=48), VALUES.map(lambda value: json.dumps(value).encode())),
    key=st.sampled_from([None, "text", "intervals", "annotations", "images", "foreground"]),
)
def test_json_of_any_shape_never_fails(server: Running, path: str, body: bytes, key: str | None) -> None:
    if key is not None:
        with contextlib.suppress(ValueError):
            body = json.dumps({"images": [], "categories": [], "annotations": [], key: json.loads(body)}).encode()
    answer = server.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code < 500, answer.text
    assert "\n" not in answer.json().get("detail", "")


def _post(server: Running, route: str, body: bytes, revision: int = 0) -> Any:
    headers = {"Content-Type": MEDIA_TYPE, "If-Match": f'"{revision}"'}
    return server.client.post(f"/api/cases/1/{route}", content=body, headers=headers)
