"""Asking the model as MONAI Label's clients do."""

import io
import json
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentasam.labelling.exchange.monai import MonaiError, read_params

from ..running import HEIGHT, WIDTH, Running, folder_of_images, running

PARAMS = {"foreground": [[20, 10], [22.5, 11, 0]], "background": [[1, 2]], "client_id": "viewer", "device": "cuda"}
# As MONAI Label's own client writes it.
BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(folder_of_images(tmp_path_factory.mktemp("monai") / "images")) as server:
        yield server


def form(**fields: str) -> dict[str, Any]:
    lines = []
    for name, value in fields.items():
        lines += [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"', "", value]
    lines += [f"--{BOUNDARY}--", "", ""]
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return {"content": "\r\n".join(lines).encode(), "headers": headers}


def parts_of(answer: Any) -> dict[str, Any]:
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + answer.content)
    return {str(part.get_param("name", header="content-disposition")): part for part in message.iter_parts()}


def test_info(server: Running) -> None:
    content = server.client.get("/info/").json()
    assert content["name"] == "dentasam"
    assert content["models"]["small"]["dimension"] == 2
    assert content["models"]["small"]["type"] == "deepgrow"
    assert content["labels"][:2] == ["11", "12"]
    assert (content["trainers"], content["strategies"]) == ({}, {})


def test_a_form_gets_a_form_with_params_and_label_image(server: Running) -> None:
    server.model.asked.clear()
    answer = server.client.post("/infer/small?image=b.png", **form(params=json.dumps(PARAMS)))
    assert answer.status_code == 200
    ((case, (asked,)),) = server.model.asked
    assert case == 2
    assert [tuple(click) for click in asked.clicks] == [(20, 10, 1), (22.5, 11, 1), (1, 2, 0)]
    parts = parts_of(answer)
    params = json.loads(parts["params"].get_payload(decode=True))
    assert params["label_names"] == {"object": 1}
    assert params["score"] == 0.75
    assert params["latencies"] == {"pre": 0.25, "infer": 0.5, "total": 0.75}
    assert parts["image"].get_filename() == "b.png"
    picture = np.asarray(Image.open(io.BytesIO(parts["image"].get_payload(decode=True))))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[0:5, 0:4] = 1
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize("image", ["a.png", "a", "1"])
def test_an_image_by_name_stem_or_number(server: Running, image: str) -> None:
    server.model.asked.clear()
    assert server.client.post("/infer/dentasam", params={"image": image}, json=PARAMS).status_code == 200
    assert server.model.asked[0][0] == 1


def test_the_image_or_the_params_alone(server: Running) -> None:
    picture = server.client.post("/infer/small?image=a&output=image", json={**PARAMS, "label": "36"})
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (WIDTH, HEIGHT)
    params = server.client.post("/infer/small?image=a&output=json", json={**PARAMS, "label": "36"})
    assert params.json()["label_names"] == {"36": 1}
    urlencoded = server.client.post("/infer/small?image=a&output=json", data={"params": json.dumps(PARAMS)})
    assert urlencoded.status_code == 200


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/infer/other?image=a", PARAMS, 404),
        ("/infer/small?image=c.png", PARAMS, 404),
        ("/infer/small?image=", PARAMS, 404),
        ("/infer/small?image=99999999999", PARAMS, 404),
        ("/infer/small?image=%C2%B2", PARAMS, 404),
        ("/infer/small", PARAMS, 422),
        ("/infer/small?image=a&output=dicom_seg", PARAMS, 422),
        ("/infer/small?image=a", {}, 422),
        ("/infer/small?image=a", {"foreground": [[1]]}, 422),
        ("/infer/small?image=a", {"foreground": [["x", 1]]}, 422),
        ("/infer/small?image=a", [], 422),
    ],
)
def test_questions_that_are_refused(server: Running, path: str, params: Any, status: int) -> None:
    answer = server.client.post(path, json=params)
    assert answer.status_code == status, answer.text
    assert len(answer.json()["detail"].splitlines()) == 1


def test_without_the_token_nobody_asks(server: Running) -> None:
    assert server.stranger.get("/info/").status_code == 401
    assert server.stranger.post("/infer/small?image=a", json=PARAMS).status_code == 401


@pytest.mark.parametrize("field", ["file", "label"])
def test_images_and_labels_are_not_taken_in(server: Running, field: str) -> None:
    answer = server.client.post("/infer/small?image=a", **form(params=json.dumps(PARAMS), **{field: "DICM"}))
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{field}: uploading images and labels is not supported")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 100_000),
        ("application/x-www-form-urlencoded", b"params=%ff"),
        ("text/plain", b"params"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n{\r\n--x--',
        ),
    ],
)
def test_bodies_that_are_no_params(kind: str, body: bytes) -> None:
    with pytest.raises(MonaiError) as caught:
        read_params(kind, body)
    assert len(str(caught.value).splitlines()) == 1


def test_the_answers_file_name_is_plain(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    (folder / "a.png").rename(folder / 'a"; x="ä.png')
    with running(folder) as server:
        answer = server.client.post("/infer/small?image=1", json=PARAMS)
        assert parts_of(answer)["image"].get_filename() == "a___x___.png"


MARK = f"--{BOUNDARY}\r\n".encode()
END = f"--{BOUNDARY}--\r\n".encode()
FORM_DATA = b"Content-Disposition: form-data; name=params"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ((MARK + b"\r\n\r\n") * 17 + END, "more than 16 parts"),
        (MARK + FORM_DATA + b";(" * 4000 + b"\r\n\r\n{}\r\n" + END, "a part of the form is malformed"),
        (MARK + b"X: y\r\n" * 1000 + FORM_DATA + b"\r\n\r\n{}\r\n" + END, "a part of the form is malformed"),
        (MARK + FORM_DATA + b"\r\n\r\n" + b"[" * 100_000 + b"\r\n" + END, "nested more than 32 levels"),
        (MARK + FORM_DATA + b"\r\n\r\n{}", "the form is cut"),
        (MARK + FORM_DATA + b'\r\n\r\n{"foreground": [[1, 1' + b"0" * 400 + b"]]}\r\n" + END, "more than 64 bits"),
        (b"", "the form is cut"),
    ],
)
def test_forms_that_cost_too_much_are_refused(server: Running, body: bytes, what: str) -> None:
    answer = server.client.post("/infer/small?image=a", content=body, headers=form()["headers"])
    assert (answer.status_code, what in answer.json()["detail"]) == (422, True), answer.text


def test_parts_in_parts_are_not_looked_at() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + b"--c\r\n\r\n\r\n" * 20_000
    quoted = f'multipart/form-data; charset=utf-8; boundary="{BOUNDARY}"'
    assert read_params(quoted, MARK + inner + b"\r\n" + END).clicks == []
    with pytest.raises(MonaiError, match="no boundary"):
        read_params("multipart/form-data", MARK + END)
