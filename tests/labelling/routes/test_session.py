"""What a page is told when it starts, and the labels."""

from typing import Any

from dentasam.labelling.auth.middleware import IMAGE_BODY_BYTES, MASK_BODY_BYTES

from ..running import Running


def test_session(server: Running) -> None:
    answer = server.client.get("/api/session").json()
    assert answer["annotator"] == "me"
    assert answer["workspace"] == (server.workspace.root / "id").read_text().strip()
    assert answer["folder"] == "images"
    assert answer["model"] == {"name": "small", "sha256": "0" * 64, "adapter": None, "adapter_sha256": None}
    assert answer["idle_seconds"] == 30
    assert answer["limits"] == {
        "pixels": 100_000_000,
        "body_bytes": MASK_BODY_BYTES,
        "image_bytes": IMAGE_BODY_BYTES,
    }
    assert answer["no_images"] is None
    assert answer["sign_out"] is False
    assert len(answer["schema"]["labels"]) == 58
    assert answer["schema"]["labels"][0]["name"] == "11"


def test_the_schema_can_be_replaced(server: Running) -> None:
    schema = {"labels": [{"name": "bone", "title": "Bone", "kind": "other", "colour": "#D55E00"}]}
    answer = server.client.put("/api/schema", json=schema)
    assert answer.status_code == 200
    assert answer.json()["labels"][0]["colour"] == "#d55e00"
    assert server.client.get("/api/session").json()["schema"] == answer.json()
    assert "bone" in (server.workspace.root / "schema.yaml").read_text(encoding="utf-8")
    grey = {"labels": [{**schema["labels"][0], "colour": "#808080"}]}
    refused: tuple[dict[str, Any], ...] = ({}, {"labels": []}, grey)
    for wrong in refused:
        assert server.client.put("/api/schema", json=wrong).status_code == 422, wrong
