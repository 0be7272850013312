"""The embedding cache: what was stored comes back, and nothing else ever does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from dentasam.errors import OutputError
from dentasam.model.embedding import EncoderOutput, EncoderPrefix
from dentasam.training.samples.embedding_cache import EmbeddingCache
from dentasam.training.samples.tensor_checksum import tensor_checksum


def output(seed: int = 0) -> EncoderOutput:
    generator = torch.Generator().manual_seed(seed)
    return EncoderOutput(
        torch.randn(1, 256, 4, 8, generator=generator), torch.randn(1, 32, 4, 8, generator=generator)
    )


def file_of(cache: EmbeddingCache, key: str) -> Path:
    return next(cache.folder.glob(f"*/{key}.safetensors"))


def test_stored_output_comes_back_in_half_precision(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "base")
    key = cache.key("image")
    assert cache.load(key) is None
    returned = cache.store(key, output())
    loaded = EmbeddingCache(tmp_path, "base").load(key)
    assert loaded is not None
    for name in ("features", "intermediate"):
        stored = getattr(loaded, name)
        assert stored.dtype == torch.float16
        assert torch.equal(stored, getattr(output(), name).half())
        assert torch.equal(stored, getattr(returned, name))


def test_key_names_everything_the_output_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        EmbeddingCache(tmp_path, base, precision).key(image, flipped)
        for base in ("a", "b")
        for precision in ("fp32", "bfloat16")
        for image in ("x", "y")
        for flipped in (False, True)
    }
    keys |= {EmbeddingCache(tmp_path, "a", stop=stop).key("x") for stop in (0, 1)}
    monkeypatch.setattr("dentasam.training.samples.embedding_cache.PREPROCESSING", -1)
    keys.add(EmbeddingCache(tmp_path, "a").key("x"))
    assert len(keys) == 19


@pytest.mark.parametrize("damage", ["cut", "empty", "header", "bit", "type", "another"])
def test_damaged_file_counts_as_absent_and_is_written_anew(tmp_path: Path, damage: str) -> None:
    cache = EmbeddingCache(tmp_path, "base")
    key = cache.key("image")
    cache.store(key, output())
    file = file_of(cache, key)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    elif damage == "header":
        content[3:20] = b"\xff" * 17
    elif damage == "bit":
        content[-100] ^= 1
    elif damage == "type":
        # The same bytes under the same checksum, taken for other numbers.
        with safe_open(file, framework="pt") as whole:
            metadata = whole.metadata()
        other = {name: tensor.view(torch.bfloat16) for name, tensor in load_file(file).items()}
        content = bytearray(save(other, metadata))
    else:
        content = bytearray(b"not a tensor file at all")
    file.write_bytes(content)
    assert cache.load(key) is None
    cache.store(key, output())
    loaded = cache.load(key)
    assert isinstance(loaded, EncoderOutput)
    assert torch.equal(loaded.features, output().features.half())


def test_files_swapped_with_each_other_and_of_earlier_versions_are_written_anew(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "base")
    one, two = cache.key("one"), cache.key("two")
    for seed, key in enumerate((one, two)):
        cache.store(key, output(seed))
    first, second = file_of(cache, one), file_of(cache, two)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert cache.load(one) is None
    assert cache.load(two) is None
    cache.store(one, output(0))
    assert cache.load(one) is not None
    tensors = load_file(first)
    first.write_bytes(save(tensors, {"crc32": tensor_checksum(tensors)}))
    assert cache.load(one) is None


@pytest.mark.parametrize("intermediate", [None, torch.randn(1, 32, 4, 8)])
def test_what_comes_before_the_adapted_blocks_comes_back(tmp_path: Path, intermediate: torch.Tensor | None) -> None:
    cache = EmbeddingCache(tmp_path, "base", stop=3)
    key = cache.key("image")
    cache.store(key, EncoderPrefix(output().features, intermediate, 3))
    loaded = cache.load(key)
    assert isinstance(loaded, EncoderPrefix)
    assert loaded.stop == 3
    assert torch.equal(loaded.tokens, output().features.half())
    assert (loaded.intermediate is None) == (intermediate is None)
    if intermediate is not None:
        assert loaded.intermediate is not None
        assert torch.equal(loaded.intermediate, intermediate.half())


def test_size_counts_outputs_and_bytes(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "base")
    assert cache.size() == (0, 0)
    for seed in range(3):
        cache.store(cache.key(str(seed)), output(seed))
    count, size = cache.size()
    tensors = 3 * 2 * (256 + 32) * 4 * 8
    assert count == 3
    assert tensors < size < tensors + 3 * 1000


WRITER = """
import sys, torch
from pathlib import Path
from dentasam.model.embedding import EncoderOutput
from dentasam.training.samples.embedding_cache import EmbeddingCache
cache = EmbeddingCache(Path(sys.argv[1]), "base")
big = EncoderOutput(torch.ones(1, 256, 64, 64), torch.ones(1, 256, 64, 64))
print("writing", flush=True)
while True:
    cache.store(cache.key("image"), big)
"""


def test_killed_writer_leaves_no_half_file(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    cache = EmbeddingCache(tmp_path, "base")
    key = cache.key("image")
    deadline = time.monotonic() + 60
    while cache.size()[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    loaded = cache.load(key)
    assert isinstance(loaded, EncoderOutput)
    assert bool((loaded.features == 1).all())
    assert cache.size()[0] == 1


def test_leavings_of_a_killed_writer_are_removed_once_old(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "base")
    cache.store(cache.key("image"), output())
    folder = file_of(cache, cache.key("image")).parent
    old, young = folder / ".old.1.part", folder / ".young.2.part"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (0, 0))
    EmbeddingCache(tmp_path, "base")
    assert not old.exists()
    assert young.exists()


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(OutputError, match=r"cache: cannot be created.*cache\.dir"):
        EmbeddingCache(tmp_path / "cache", "base")
