import hashlib
import os
import shutil
import tracemalloc
from pathlib import Path

import pytest
import torch

from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import draft_of
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore, file_stem
from dentasam.labelling.inference.served_model import model_key
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding

BASE = model_key("base", None)


def embedding(seed: int = 0) -> ImageEmbedding:
    generator = torch.Generator().manual_seed(seed)
    frame = Frame.of(64, 1024)
    return ImageEmbedding(
        torch.randn(1, 256, frame.rows, frame.cols, generator=generator),
        torch.randn(1, 32, *frame.logits, generator=generator),
        frame,
    )


def image(folder: Path, name: str, content: bytes = b"") -> Path:
    path = folder / name
    path.write_bytes(content or name.encode())
    return path


def picture(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(store: EmbeddingStore) -> list[Path]:
    return sorted(store.folder.glob("*/*.safetensors"))


def test_what_is_put_comes_back_in_half_precision(tmp_path: Path) -> None:
    store, given = EmbeddingStore(tmp_path / "e"), embedding()
    path = image(tmp_path, "a.png")
    assert store.get(picture(path), BASE) is None
    kept, found = store.put(picture(path), BASE, given), EmbeddingStore(tmp_path / "e").get(picture(path), BASE)
    assert found is not None
    assert found.frame == given.frame
    assert found.features.dtype == torch.float32
    for one in (kept, found):
        assert torch.equal(one.features, given.features.half().float())
        assert torch.equal(one.hq, given.hq.half().float())
    # 2 bytes a number, plus the header
    numbers = given.features.numel() + given.hq.numel()
    assert 2 * numbers < store.bytes_held() < 2 * numbers + 1000


def test_the_key_is_content_and_model_not_the_name(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "e")
    store.put(picture(image(tmp_path, "a.png", b"one")), BASE, embedding())
    assert store.get(picture(image(tmp_path, "copy.png", b"one")), BASE) is not None
    assert store.get(picture(image(tmp_path, "b.png", b"two")), BASE) is None
    for other in (model_key("other", None), model_key("base", "adapter")):
        assert store.get(picture(tmp_path / "a.png"), other) is None


def test_an_image_that_was_replaced_is_a_miss(tmp_path: Path) -> None:
    store, path = EmbeddingStore(tmp_path / "e"), image(tmp_path, "a.png", b"before")
    store.put(picture(path), BASE, embedding())
    path.write_bytes(b"after!")
    os.utime(path, ns=(1, 1))
    assert not store.holds(picture(path), BASE)
    assert store.get(picture(path), BASE) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_a_miss_and_goes(tmp_path: Path, damage: str) -> None:
    store, path = EmbeddingStore(tmp_path / "e"), image(tmp_path, "a.png")
    store.put(picture(path), BASE, embedding())
    (file,) = files(store)
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[-100] ^= 1  # inside a tensor: the file still reads
    file.write_bytes(bytes({"cut": content[:-10], "flipped": content, "empty": b""}[damage]))
    assert store.get(picture(path), BASE) is None
    assert files(store) == []
    store.put(picture(path), BASE, embedding())
    assert store.get(picture(path), BASE) is not None


def test_a_killed_writer_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = EmbeddingStore(tmp_path / "e"), image(tmp_path, "a.png")

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("dentasam.labelling.inference.encoding.embedding_store.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.put(picture(path), BASE, embedding())
    assert store.get(picture(path), BASE) is None
    # One that had no time to clean up.
    for folder in (store.folder, store.folder / "ab"):
        folder.mkdir(exist_ok=True)
        with draft_of(folder / "x") as draft:
            pass
        draft.write_bytes(b"half")
    assert list(EmbeddingStore(tmp_path / "e").folder.rglob("*.part")) == []


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "e")
    paths = [image(tmp_path, f"{index}.png") for index in range(4)]
    for index, path in enumerate(paths[:3]):
        store.put(picture(path), BASE, embedding(index))
        store.note_uncertainty(picture(path), BASE, 0.25)
        for file in store.folder.glob("*/*.safetensors"):
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 100))
    store.limit = store.bytes_held()
    assert store.get(picture(paths[0]), BASE) is not None
    store.put(picture(paths[3]), BASE, embedding(3))
    assert [store.holds(picture(path), BASE) for path in paths] == [True, False, True, True]
    assert store.bytes_held() <= store.limit
    assert store.uncertainty(picture(paths[1]), BASE) is None
    assert store.uncertainty(picture(paths[2]), BASE) == 0.25


def test_the_newest_stays_even_in_a_store_too_small_for_it(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "e", limit=10)
    for name in ("a.png", "b.png"):
        store.put(picture(image(tmp_path, name)), BASE, embedding())
    assert store.get(picture(tmp_path / "b.png"), BASE) is not None
    assert len(files(store)) == 1


def test_uncertainty_is_of_a_model(tmp_path: Path) -> None:
    store, path = EmbeddingStore(tmp_path / "e"), image(tmp_path, "a.png")
    assert store.uncertainty(picture(path), BASE) is None
    store.note_uncertainty(picture(path), BASE, 0.125)
    assert store.uncertainty(picture(path), BASE) == 0.125
    assert store.uncertainty(picture(path), model_key("other", None)) is None


def test_a_full_disk_is_reported_and_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = EmbeddingStore(tmp_path / "e"), image(tmp_path, "a.png")
    store.put(picture(path), BASE, embedding())

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        store.put(picture(path), BASE, embedding(1))
    found = store.get(picture(path), BASE)
    assert found is not None
    assert torch.equal(found.features, embedding().features.half().float())


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "e").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be used"):
        EmbeddingStore(tmp_path / "e")


def test_a_store_may_be_deleted_under_a_running_server(tmp_path: Path) -> None:
    store, path = EmbeddingStore(tmp_path / "e"), image(tmp_path, "a.png")
    store.put(picture(path), BASE, embedding())
    shutil.rmtree(store.folder)
    assert store.get(picture(path), BASE) is None
    store.put(picture(path), BASE, embedding())
    assert store.get(picture(path), BASE) is not None


def test_what_lies_in_the_place_of_an_embedding_is_read_in_pieces(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    path = tmp_path / file_stem("p", "base")[:2] / f"{file_stem('p', 'base')}.00000000.safetensors"
    path.parent.mkdir()
    path.touch()
    os.truncate(path, 64 << 20)
    tracemalloc.start()
    try:
        assert store.get("p", "base") is None
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert not path.exists()
