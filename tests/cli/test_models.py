"""`dentasam models` as a user meets it: what it prints, and one line with exit code 2 for what cannot be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from dentasam.cli.app import main
from dentasam.model.adapters.folder import AdapterCard
from dentasam.model.adapters.lora import LoraSettings, add_lora
from dentasam.model.adapters.merging import merge_adapter
from dentasam.model.adapters.saving import save_adapter
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.sam_hq import build_sam_hq


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "base.safetensors"
    save_checkpoint(build_sam_hq("vit_tiny"), path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["models", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a refused command."""
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("dentasam: ")
    assert err.count("\n") == 1
    return err


def test_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda _repository, file: "/cache/b.pth" if file == "sam_hq_vit_b.pth" else None,
    )
    code, out, _err = run(capsys, "list")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == [
        "dentasam-tiny",
        "sam-hq-vit-tiny",
        "sam-hq-vit-b",
        "sam-hq-vit-l",
        "sam-hq-vit-h",
    ]
    assert lines["sam-hq-vit-b"].endswith("/cache/b.pth")
    assert lines["sam-hq-vit-l"].endswith("dentasam models fetch sam-hq-vit-l")


def test_inspect(capsys: pytest.CaptureFixture[str], checkpoint: Path) -> None:
    code, out, _err = run(capsys, "inspect", str(checkpoint))
    assert code == 0
    shown = dict(line.split(maxsplit=1) for line in out.replace("stored as", "stored_as").splitlines())
    assert shown["name"] == "base"
    assert shown["kind"] == "vit_tiny"
    assert shown["stored_as"] == "float16"
    assert shown["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert int(shown["parameters"].replace(",", "")) == sum(p.numel() for p in build_sam_hq("vit_tiny").parameters())


def test_inspect_names_a_wrong_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    torch.save({"memory_attention.layers.0.norm1.weight": torch.ones(1)}, tmp_path / "sam2.pt")
    assert "SAM 2" in refusal(capsys, "inspect", str(tmp_path / "sam2.pt"))
    assert "neither a file nor a known model" in refusal(capsys, "inspect", str(tmp_path / "none.pth"))


def test_fetch_prints_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, str]] = []

    def download(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _repository, _file: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    code, out, _err = run(capsys, "fetch", "sam-hq-vit-b")
    assert (code, out.strip()) == (0, str(tmp_path / "sam_hq_vit_b.pth"))
    assert asked == [("lkeab/hq-sam", "sam_hq_vit_b.pth")]


def test_fetch_without_network_or_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_repository: str, _file: str) -> str:
        raise OSError("[Errno -3] Temporary failure in name resolution\nmore lines")

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _repository, _file: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    line = refusal(capsys, "fetch", "sam-hq-vit-b")
    assert "sam_hq_vit_b.pth could not be fetched from lkeab/hq-sam" in line
    assert "check the network" in line
    assert "more lines" not in line
    assert "known are dentasam-tiny, sam-hq-vit-tiny" in refusal(capsys, "fetch", "sam-hq-vit-q")


def test_merge(capsys: pytest.CaptureFixture[str], checkpoint: Path, tmp_path: Path) -> None:
    base, info = load_model(checkpoint)
    adapted = add_lora(base, LoraSettings(scope="decoder", rank=2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    folder = tmp_path / "adapter"
    save_adapter(adapted, folder, AdapterCard(info.name, info.sha256, "decoder"), half=False)

    out = tmp_path / "merged.safetensors"
    code, shown, _err = run(capsys, "merge", str(checkpoint), str(folder), "--out", str(out), "--no-half")
    assert (code, shown.strip()) == (0, str(out))
    merged, _info = load_model(out)
    expected = merge_adapter(adapted).state_dict()
    plain = load_model(checkpoint)[0].state_dict()
    changed = 0
    for name, tensor in merged.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-6)
        changed += not torch.equal(tensor, plain[name])
    assert changed > 50

    assert "exists already" in refusal(capsys, "merge", str(checkpoint), str(folder), "--out", str(out))


def test_merge_refuses(capsys: pytest.CaptureFixture[str], checkpoint: Path, tmp_path: Path) -> None:
    arguments = ("merge", str(checkpoint), str(tmp_path))
    assert "safetensors" in refusal(capsys, *arguments, "--out", str(tmp_path / "merged.pth"))
    assert "no folder" in refusal(capsys, *arguments, "--out", str(tmp_path / "none" / "merged.safetensors"))
    assert "adapter_config.json" in refusal(capsys, *arguments, "--out", str(tmp_path / "merged.safetensors"))
