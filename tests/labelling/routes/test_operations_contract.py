"""The scripts that the page's fake server keeps too, `web/src/api/operations.contract.json`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pytest

from dentasam.labelling.log.operations import MODEL_ANNOTATOR, parse_operations
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, unpack

from ..running import HEIGHT, WIDTH, Running, folder_of_images, opened, running

CONTRACT = json.loads(
    (Path(__file__).parents[3] / "web/src/api/operations.contract.json").read_text(encoding="utf-8")
)
UNKNOWN_CASE = 99


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(folder_of_images(tmp_path / "images")) as started:
        yield started


def uuid(name: str) -> str:
    """The server takes UUIDs alone; the contract calls things by names."""
    return str(uuid5(NAMESPACE_OID, name))


NAMES = {uuid(name): name for name in [*CONTRACT["operations"], "a", "b", "c"]}


def operation(name: str) -> dict[str, Any]:
    sent = {"id": uuid(name), "time": 1, **CONTRACT["operations"][name]}
    sent["object"] = uuid(sent["object"]) if sent["object"] else None
    if sent["data"].get("parent"):
        sent["data"] = {**sent["data"], "parent": uuid(sent["data"]["parent"])}
    if "undoes" in sent:
        sent["undoes"] = uuid(sent["undoes"])
    if "mask" in sent:
        x, y, width, height = sent["mask"]
        # Beyond the image's edge too, which is for the server to refuse.
        drawn = np.zeros((y + height, x + width), bool)
        drawn[y:, x:] = True
        sent["mask"] = BoxMask.from_mask(drawn)
    return sent


def played(server: Running, case: int, step: dict[str, Any]) -> dict[str, Any]:
    """What the server answers, in the words of the contract."""
    if "propose" in step:
        proposed = parse_operations([operation(name) for name in step["propose"]])
        server.store.import_objects({case: proposed}, MODEL_ANNOTATOR)
        return {"status": 200, "revision": server.store.case(case).revision}
    if "read" in step:
        answer = server.client.get(f"/api/cases/{case}")
        body = opened(answer)
        objects = [{**each, "id": NAMES[each["id"]]} for each in body["objects"]]
        shown = {"revision": body["case"]["revision"], "case": body["case"]["status"], "missing": body["missing"]}
        return {"status": answer.status_code, **shown, "objects": objects}
    if "append" in step:
        answer = server.append([operation(name) for name in step["append"]], step["match"], case)
    else:
        answer = server.client.get(f"/api/cases/{case}/operations?since={step['since']}")
    packed = answer.headers["content-type"] == MEDIA_TYPE
    body = unpack(answer.content) if packed else answer.json()
    found = {"status": answer.status_code} | {key: body[key] for key in ("revision", "stored") if key in body}
    for key in ("operations", "objects"):
        if key in body:
            found[key] = [{**each, "id": NAMES[each["id"]]} for each in body[key]]
    if answer.status_code in (200, 409):
        assert answer.headers["etag"] == f'"{found["revision"]}"'
    return found


@pytest.mark.parametrize("script", CONTRACT["scripts"], ids=lambda script: script["name"])
def test_the_server_keeps_the_contract(server: Running, script: dict[str, Any]) -> None:
    case = UNKNOWN_CASE if script.get("unknown") else 1
    for step in script["steps"]:
        wants, found = step["wants"], played(server, case, step)
        if "operations" in wants:
            found["operations"] = [each["id"] for each in found["operations"]]
        if "objects" in wants:
            shown = sorted(found["objects"], key=lambda each: each["id"])
            found["objects"] = [
                {key: each[key] for key in named} for each, named in zip(shown, wants["objects"], strict=True)
            ]
        assert {key: found.get(key) for key in wants} == wants, step
    log = [NAMES[stored.operation.id] for stored in server.store.operations(1)]
    assert log == script.get("log", [])
    assert server.store.case(1).revision == len(log)


def test_the_contract_is_about_the_image_of_these_tests() -> None:
    assert f"{WIDTH} x {HEIGHT} pixels" in CONTRACT["about"]
