"""The API against its own description and against bodies of any bytes: it may refuse, but never fail."""

import contextlib
import json
import re
import struct
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dentasam.labelling.server.app import application
from dentasam.labelling.wire.envelope import MEDIA_TYPE

from ..running import BASE, TOKEN, Running, folder_of_images, running

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1:8765"}
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
)
MODES = {
    GenerationMode.POSITIVE: (*CHECKS, ignored_auth),
    GenerationMode.NEGATIVE: (*CHECKS, negative_data_rejection, missing_required_header),
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY")
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
def descriptions(server: Running) -> dict[GenerationMode, Any]:
    found = {mode: schemathesis.openapi.from_asgi("/openapi.json", server.app, headers=HEADERS) for mode in MODES}
    for description in found.values():
        description.config.update(base_url=BASE)
    # Every request has the token: without it, nothing else would be looked at.
    del found[GenerationMode.NEGATIVE].raw_schema["security"]
    return found


PATHS = application().openapi()["paths"]
# Nothing can be wrong with a request that takes nothing.
AGREEMENTS = [
    (mode, method.upper(), path)
    for mode in MODES
    for path, methods in PATHS.items()
    for method, described in methods.items()
    if mode is GenerationMode.POSITIVE or described.keys() & {"parameters", "requestBody"}
]


@pytest.mark.parametrize(("mode", "method", "path"), AGREEMENTS)
def test_description_and_server_agree(
    server: Running, descriptions: dict[GenerationMode, Any], mode: GenerationMode, method: str, path: str
) -> None:
    operation = descriptions[mode][path][method]

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            # What exists, or most answers would be 404 and 412.
            if "case_id" in case.path_parameters:
                case.path_parameters["case_id"] = 1 + case.path_parameters["case_id"] % 2
            if "X-Workspace" in case.headers:
                case.headers["X-Workspace"] = server.workspace.id
            case.headers.pop("X-Annotator", None)
        answer = case.call(headers=HEADERS)
        # Refused for its workspace or annotator before anything else is looked at.
        passed_over = [negative_data_rejection] if answer.status_code == 412 else []
        case.validate_response(answer, checks=MODES[mode], excluded_checks=passed_over, headers=HEADERS)

    holds()


@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_path_does_not_have_is_answered_with_those_that_it_has(server: Running, path: str) -> None:
    at = re.sub(r"\{\w+\}", "1", path)
    for method in METHODS:
        answer = server.client.request(method, at)
        if method.lower() in PATHS[path]:
            assert answer.status_code != 405, method
            continue
        assert answer.status_code == 405, method
        assert answer.headers["Allow"].split(", ") == sorted(known.upper() for known in PATHS[path])
        if method != "HEAD":
            assert answer.json()["detail"] == f"{method} is not possible here, only {answer.headers['Allow']}"


def test_every_route_describes_its_errors_in_one_way() -> None:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, methods in PATHS.items():
        for method, operation in methods.items():
            answers = operation["responses"]
            others = {status for status, answer in answers.items() if status >= "4" and answer["content"] != problem}
            assert others == ({"409"} if path.endswith("/operations") and method == "post" else set()), path
            if path != "/healthz":
                assert {"400", "401", "403", "413", "421", "422", "500", "503"} <= answers.keys(), path


def test_a_write_without_a_revision_is_refused_as_described(server: Running) -> None:
    (described,) = (
        one for one in PATHS["/api/cases/{case_id}/operations"]["post"]["parameters"] if one["name"] == "If-Match"
    )
    assert described["required"]
    assert described["schema"]["type"] == "string"
    body = envelope({"operations": []}, b"")
    answer = server.client.post("/api/cases/1/operations", content=body, headers={"Content-Type": MEDIA_TYPE})
    assert answer.status_code == 428
    assert answer.json()["detail"] == 'send If-Match with the revision last seen, as in If-Match: "7"'
    for revision in ("7", '"x"', "*", '"12345678901"', "false"):
        headers = {"Content-Type": MEDIA_TYPE, "If-Match": revision}
        assert server.client.post("/api/cases/1/operations", content=body, headers=headers).status_code == 422


@pytest.mark.parametrize("wrong", [False, True, "1", "", [1], {}])
def test_only_numbers_are_numbers(server: Running, wrong: Any) -> None:
    right: dict[str, Any] = {"id": "a", "clicks": [[1, 2.0, 1.0]], "box": [0, 0, 9, 9]}
    assert _post(server, "predict", envelope({"objects": [right]}, b"")).status_code == 200
    for change in (
        *({"clicks": [click]} for click in ([wrong, 2, 1], [1, wrong, 1], [1, 2, wrong])),
        {"box": [0, 0, wrong, 9]},
    ):
        assert _post(server, "predict", envelope({"objects": [right | change]}, b"")).status_code == 422, change
    span = {"tool": "brush", "start": 5.0, "seconds": 1}
    assert server.client.post("/api/cases/1/time", json={"intervals": [span]}).status_code == 204
    for key in ("start", "seconds"):
        answer = server.client.post("/api/cases/1/time", json={"intervals": [span | {key: wrong}]})
        assert answer.status_code == 422, key
    labels = [{"name": "11", "title": "11", "colour": "#ff0000"}]
    for tidy in ({"islands": wrong}, {"holes": wrong}):
        assert server.client.put("/api/schema", json={"labels": labels, "tidy": tidy}).status_code == 422
    assert server.client.get("/api/cases/1/operations", params={"since": str(wrong)}).status_code == (
        200 if wrong == "1" else 422
    )
    drawn = {"id": str(UUID(int=77)), "kind": "create", "object": str(UUID(int=78)), "data": {"source": "manual"}}
    operations = {"operations": [drawn | {"time": wrong}]}
    assert _post(server, "operations", envelope(operations, b""), 0).status_code == 422


@pytest.mark.parametrize("wrong", [0, 1, "true", "false", "yes", None])
def test_only_true_and_false_are_switches(server: Running, wrong: Any) -> None:
    assert server.client.put("/api/proposals", json={"on": wrong}).status_code == 422
    asked = {"id": "a", "box": [0, 0, 9, 9], "choices": wrong}
    assert _post(server, "predict", envelope({"objects": [asked]}, b"")).status_code == 422
    for kind, key in (("lock", "locked"), ("accept", "accepted"), ("delete", "deleted")):
        given = {"id": str(UUID(int=79)), "kind": kind, "object": str(UUID(int=78)), "time": 1, "data": {key: wrong}}
        answer = _post(server, "operations", envelope({"operations": [given]}, b""), 0)
        assert answer.status_code == 422
        assert f"data.{key}" in answer.json()["detail"]


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
