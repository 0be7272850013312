"""Tags are added, and nothing else of the file changes."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.data.quality.reports.write_tags import write_tags
from dentasam.errors import DatasetError, OutputError

TEXT = """\ufeff{ "note" : "é \\u00e9 [{", "scale":1.50e-3,
  "images": [
    {"id": 1, "file_name": "a, \\"b\\".png", "tags": ["mine"], "extra": {"tags": ["x"], "id": 3}},
    {"file_name": "b.png" , "id":2 },
    {"id": 3, "tags": null},
    {"id": 4, "tags": []}
  ],
\t"annotations":[{"id":1,"area": 7.0}],"categories": []
}
"""


def test_every_other_byte_stays(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(TEXT, encoding="utf-8")
    counts = write_tags(path, {1: ["mine", "blurred"], 2: ["overlap", "blurred"], 3: ["artifact"], 9: ["blurred"]})
    assert counts == {"blurred": 2, "overlap": 1, "artifact": 1}
    assert path.read_text(encoding="utf-8") == TEXT.replace('["mine"]', '["mine", "blurred"]', 1).replace(
        '"id":2 }', '"id":2, "tags": ["overlap", "blurred"] }'
    ).replace('"tags": null', '"tags": ["artifact"]')
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert write_tags(path, {1: ["blurred"], 2: ["overlap"]}) == {}
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


names = st.lists(st.sampled_from(["blurred", "overlap", "mine", "über"]), unique=True)
image = st.fixed_dictionaries({}, optional={"tags": names, "file_name": st.text(max_size=6), "x": st.floats()})


@given(st.lists(image, max_size=4), st.integers(0, 15), st.sampled_from([None, 1]), st.booleans())
def test_the_content_is_what_a_new_file_would_have(
    images: list[dict[str, Any]], chosen: int, indent: int | None, ascii_only: bool
) -> None:
    document = {"images": [{"id": n, **item} for n, item in enumerate(images)], "annotations": [], "categories": []}
    tags = {n: ["blurred", "über"] for n in range(len(images)) if chosen >> n & 1}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
        write_tags(path, tags)
        written = json.loads(path.read_text(encoding="utf-8"))
    for item in document["images"]:
        wanted = [
            *item.get("tags", []),
            *(tag for tag in tags.get(item["id"], []) if tag not in item.get("tags", [])),
        ]
        if wanted or "tags" in item:
            item["tags"] = wanted
    assert repr(written) == repr(document)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": 3}', '{"images": [', '{"images": [3]}', "\xff"])
def test_what_is_not_coco_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DatasetError, match="is not a COCO dataset"):
        write_tags(path, {1: ["blurred"]})
    assert path.read_text(encoding="latin-1") == text


def test_a_file_that_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.json"
    path.write_text(TEXT, encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OutputError, match=r"set\.json cannot be written \(Read-only file system\)"):
        write_tags(path, {1: ["blurred"]})
    assert path.read_text(encoding="utf-8") == TEXT
    assert [file.name for file in tmp_path.iterdir()] == ["set.json"]
    with pytest.raises(DatasetError, match="cannot be read"):
        write_tags(tmp_path / "none.json", {1: ["blurred"]})
