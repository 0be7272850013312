"""Checkpoints in and out: three layouts come in whole, everything else is named for what it is."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dentasam.errors import CheckpointError
from dentasam.model.checkpoints.finite import first_not_finite
from dentasam.model.checkpoints.key_maps import to_official
from dentasam.model.checkpoints.loading import inspect_checkpoint, load_model
from dentasam.model.checkpoints.registry import fetch
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.encoder.encoder_registry import recognise_encoder
from dentasam.model.sam_hq import SamHQ, build_sam_hq

from ..oracles import draw_weights

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def model() -> SamHQ:
    built = build_sam_hq("vit_tiny")
    draw_weights(built, seed=0)
    return built.eval()


@pytest.fixture(scope="module")
def official(model: SamHQ) -> State:
    """As the official Light HQ-SAM file: with TinyViT's classifier, which nothing uses."""
    head = {
        "image_encoder.norm_head.weight": torch.ones(320),
        "image_encoder.norm_head.bias": torch.zeros(320),
        "image_encoder.head.weight": torch.zeros(1000, 320),
        "image_encoder.head.bias": torch.zeros(1000),
    }
    return {**model.state_dict(), **head}


def equal(loaded: SamHQ, state: State) -> bool:
    return all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())


@pytest.mark.parametrize("wrapping", [None, "model", "state_dict", "module."])
def test_official_pth(tmp_path: Path, official: State, wrapping: str | None) -> None:
    path = tmp_path / "sam_hq_vit_tiny.pth"
    if wrapping == "module.":
        torch.save({f"module.{name}": tensor for name, tensor in official.items()}, path)
    else:
        torch.save({wrapping: official} if wrapping else official, path)
    loaded, info = load_model(path)
    assert equal(loaded, official)
    assert not loaded.training
    assert (info.name, info.kind, info.path) == ("sam_hq_vit_tiny", "vit_tiny", path)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize(
    "rename",
    [
        pytest.param(lambda key: f"_orig_mod.{key}", id="compiled"),
        pytest.param(lambda key: f"model.{key}", id="Lightning"),
        pytest.param(lambda key: f"model._orig_mod.module.{key}", id="all of them"),
        pytest.param(lambda key: f"_orig_mod.model.model.{key}", id="model twice"),
        pytest.param(lambda key: f"student._orig_mod.sam_model.{key}", id="names of a script's own"),
        pytest.param(
            lambda key: key.replace("image_encoder.", "image_encoder._orig_mod."), id="the encoder compiled"
        ),
        pytest.param(lambda key: key.replace("mask_decoder.", "mask_decoder.module."), id="the decoder distributed"),
        pytest.param(lambda key: key.replace(".blocks.", ".blocks._orig_mod."), id="inside the encoder"),
    ],
)
def test_prefixes_of_wrappers_are_taken_off(
    tmp_path: Path, official: State, rename: Callable[[str], str], suffix: str
) -> None:
    path = tmp_path / f"wrapped.{suffix}"
    state = {rename(name): tensor.contiguous() for name, tensor in official.items()}
    if suffix == "pth":
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        save_file(state, path)
    assert equal(load_model(path)[0], official)


def test_an_averaged_model_and_names_of_a_script_s_own_are_found(tmp_path: Path, official: State) -> None:
    path = tmp_path / "own.pth"
    averaged = torch.optim.swa_utils.AveragedModel(load_model("dentasam-tiny")[0]).state_dict()
    torch.save({"epoch": 3, "optimizer": {"state": {}, "param_groups": []}, "ema_weights": averaged}, path)
    assert load_model(path)[1].kind == "vit_tiny"
    torch.save({"weights": official, "teacher": official}, path)
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_model(path)
    torch.save({1: torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_model(path)


def test_numbers_and_names_beside_the_tensors_are_passed_over(tmp_path: Path, official: State) -> None:
    path = tmp_path / "epoch.pth"
    torch.save({**official, "epoch": 3, "best": 0.9, "note": "night run", "scheduler": None}, path)
    assert equal(load_model(path)[0], official)


def test_a_prefix_before_some_keys_alone_stays(tmp_path: Path, official: State) -> None:
    path = tmp_path / "two.safetensors"
    save_file({**{f"model.{name}": tensor for name, tensor in official.items()}, "ema.decay": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match="not a SAM-HQ checkpoint of a known size"):
        load_model(path)
    # Two networks in one file never become one.
    both = {**official, **{f"module.{name}": 2 * tensor for name, tensor in official.items()}}
    save_file({name: tensor.contiguous() for name, tensor in both.items()}, path)
    with pytest.raises(CheckpointError, match="left over module"):
        load_model(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["image_encoder.patch_embed.seq.0.c.weight", "mask_decoder.iou_token.weight"])
def test_one_number_that_is_not_finite_is_refused(tmp_path: Path, official: State, name: str, value: float) -> None:
    path = tmp_path / "broken.safetensors"
    spoilt = official[name].clone()
    spoilt.view(-1)[-1] = value
    save_file({**{key: tensor.contiguous() for key, tensor in official.items()}, name: spoilt}, path)
    for read in (load_model, inspect_checkpoint):
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: {name} holds NaN or infinite numbers; take")


def test_a_number_beyond_float32_is_not_finite(tmp_path: Path, official: State) -> None:
    path = tmp_path / "wide.safetensors"
    name = "mask_decoder.iou_token.weight"
    wide = official[name].double()
    wide.view(-1)[0] = 1e300
    save_file({**{key: tensor.contiguous() for key, tensor in official.items()}, name: wide}, path)
    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinite numbers"):
        load_model(path)


def test_a_number_beyond_fp16_is_not_stored_as_infinity(tmp_path: Path, official: State) -> None:
    model = load_model("dentasam-tiny")[0]
    model.mask_decoder.iou_token.weight.data[0, 0] = 1e5
    path = tmp_path / "large.safetensors"
    with pytest.raises(
        CheckpointError, match=r"iou_token\.weight would not be finite, nothing written; store it in fp32"
    ):
        save_checkpoint(model, path)
    assert not path.exists()
    save_checkpoint(model, path, half=False)
    assert load_model(path)[0].mask_decoder.iou_token.weight[0, 0] == 1e5


def test_large_numbers_whose_sum_overflows_are_finite() -> None:
    assert first_not_finite({"a": torch.full((8,), 3e38), "b": torch.full((8,), 6e4, dtype=torch.float16)}) is None
    assert first_not_finite({"a": torch.tensor([1, 2]), "b": torch.tensor([float("inf"), -float("inf")])}) == "b"


def test_own_safetensors_in_half_precision(tmp_path: Path, model: SamHQ) -> None:
    path = tmp_path / "mine.safetensors"
    save_checkpoint(model, path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.safetensors"]
    assert path.stat().st_size < 24e6
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "dentasam", "kind": "vit_tiny"}
    loaded, _info = load_model(path)
    parameters = dict(model.named_parameters())
    rounded = {
        name: tensor.half().float() if name in parameters else tensor for name, tensor in model.state_dict().items()
    }
    assert equal(loaded, rounded)
    found = inspect_checkpoint(path)
    assert found.dtypes == ("float16",)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_own_safetensors_in_full_precision_and_from_a_folder(tmp_path: Path, model: SamHQ) -> None:
    save_checkpoint(model, tmp_path / "model.safetensors", half=False)
    loaded, info = load_model(tmp_path)
    assert equal(loaded, model.state_dict())
    assert info.path == tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("kind", "vision", "width"),
    [
        ("vit_b", {}, 768),
        (
            "vit_l",
            {
                "hidden_size": 1024,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "global_attn_indexes": [5, 11, 17, 23],
            },
            1024,
        ),
        (
            "vit_h",
            {
                "hidden_size": 1280,
                "num_hidden_layers": 32,
                "num_attention_heads": 16,
                "global_attn_indexes": [7, 15, 23, 31],
            },
            1280,
        ),
    ],
)
def test_the_transformers_layout_maps_whole(kind: str, vision: dict[str, object], width: int) -> None:
    """Every name and shape, on the meta device: the values go through the same map in the parity tests."""
    transformers = pytest.importorskip("transformers")
    config = transformers.SamHQConfig(vision_config=vision, mask_decoder_config={"vit_dim": width})
    with torch.device("meta"):
        theirs = transformers.SamHQModel(config).state_dict()
        ours = build_sam_hq(kind).state_dict()
    mapped = to_official(theirs)
    assert recognise_encoder(mapped) == kind
    assert {name: tensor.shape for name, tensor in mapped.items()} == {
        name: tensor.shape for name, tensor in ours.items()
    }
    # safetensors stores tied tensors once; which of the two names stays is up to transformers.
    for tied in (
        "shared_image_embedding.positional_embedding",
        "prompt_encoder.shared_embedding.positional_embedding",
    ):
        assert to_official({name: t for name, t in theirs.items() if name != tied}).keys() == ours.keys()


def plain_sam(state: State) -> State:
    hq = ("hf_", "compress_vit_feat", "embedding_encoder", "embedding_maskfeature")
    return {
        name: tensor for name, tensor in state.items() if not name.startswith(tuple(f"mask_decoder.{n}" for n in hq))
    }


def vit_of(width: int, depth: int) -> Callable[[State], State]:
    def build(state: State) -> State:
        rest = {name: tensor for name, tensor in state.items() if not name.startswith("image_encoder.")}
        blocks = {f"image_encoder.blocks.{i}.norm1.weight": torch.ones(width) for i in range(depth)}
        return {**rest, "image_encoder.patch_embed.proj.weight": torch.zeros(width, 3, 16, 16), **blocks}

    return build


def without(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if "hf_mlp" not in name}


def reshaped(state: State) -> State:
    return {**state, "mask_decoder.iou_token.weight": torch.zeros(1, 128)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            plain_sam,
            [
                "missing mask_decoder.hf_token.weight, mask_decoder.hf_mlp.layers.0.weight",
                " more",
                "plain SAM",
            ],
            id="plain SAM",
        ),
        pytest.param(vit_of(384, 12), ["another size", "width 384", "12 blocks"], id="another width"),
        pytest.param(vit_of(768, 10), ["another size", "width 768", "10 blocks"], id="another depth"),
        pytest.param(vit_of(768, 12), ["missing image_encoder.pos_embed"], id="parts of ViT-B"),
        pytest.param(without, ["missing mask_decoder.hf_mlp.layers.0.weight", "and 3 more"], id="missing"),
        pytest.param(
            lambda state: {**state, "mask_decoder.more.weight": torch.ones(1)},
            ["left over mask_decoder.more.weight"],
            id="left over",
        ),
        pytest.param(
            reshaped,
            ["of another shape mask_decoder.iou_token.weight (1, 128) for (1, 256)"],
            id="another shape",
        ),
        pytest.param(
            lambda _state: {"base_model.model.mask_decoder.hf_mlp.layers.0.lora_A.weight": torch.ones(1)},
            ["LoRA adapter", "give it as the adapter"],
            id="adapter",
        ),
        pytest.param(lambda _state: {"memory_attention.layers.0.norm1.weight": torch.ones(1)}, ["SAM 2"], id="SAM 2"),
        pytest.param(
            lambda _state: {"vision_encoder.backbone.blocks.0.layer_norm1.weight": torch.ones(1)},
            ["SAM 2"],
            id="SAM 2 of transformers",
        ),
        pytest.param(lambda _state: {"hf_token.weight": torch.ones(1)}, ["mask decoder alone"], id="decoder alone"),
        pytest.param(
            lambda _state: {"conv1.weight": torch.ones(1)},
            ["does not look like SAM-HQ"],
            id="another network",
        ),
    ],
)
def test_a_wrong_state_dict_is_named(
    tmp_path: Path, official: State, change: Callable[[State], State], words: list[str]
) -> None:
    path = tmp_path / "wrong.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in change(official).items()}, path)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message.removeprefix(str(path))) < 500
    for word in words:
        assert word in message


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_truncated_file(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"cut.{suffix}"
    state = {f"layer{index}.weight": torch.ones(64, 64) for index in range(20)}
    if suffix == "pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="damaged or truncated"):
        load_model(path)


class Trap:
    """Unpickling it would touch a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("archive", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, archive: bool) -> None:
    path, touched = tmp_path / "trap.pth", tmp_path / "touched"
    if archive:
        torch.save({"weight": torch.ones(1), "trap": Trap(touched)}, path)
    else:
        path.write_bytes(pickle.dumps({"trap": Trap(touched)}, protocol=2))
    with pytest.raises(CheckpointError, match=r"trap\.pth: (holds more than tensors|damaged)"):
        load_model(path)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "neither a PyTorch nor a safetensors file"),
    ],
)
def test_not_a_checkpoint_at_all(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        load_model(path)


def test_a_pth_without_a_state_dict(tmp_path: Path) -> None:
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_model(tmp_path / "list.pth")


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"without model\.safetensors"):
        load_model(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="an adapter, not a model"):
        load_model(tmp_path)


def test_neither_a_name_nor_a_file() -> None:
    with pytest.raises(CheckpointError, match="sam-hq-vit-q: neither a file nor a known model.*sam-hq-vit-b"):
        load_model("sam-hq-vit-q")


def test_official_names_come_from_the_local_cache_alone(
    tmp_path: Path, official: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "sam_hq_vit_tiny.pth"
    torch.save(official, cached)
    asked: list[tuple[str, str]] = []

    def look_up(repository: str, file: str) -> str | None:
        asked.append((repository, file))
        return str(cached) if file == cached.name else None

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", look_up)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", None)
    _model, info = load_model("sam-hq-vit-tiny")
    assert (info.name, info.path) == ("sam-hq-vit-tiny", cached)
    with pytest.raises(CheckpointError, match="run `dentasam models fetch sam-hq-vit-h`"):
        load_model("sam-hq-vit-h")
    assert asked == [("lkeab/hq-sam", "sam_hq_vit_tiny.pth"), ("lkeab/hq-sam", "sam_hq_vit_h.pth")]
    assert fetch("sam-hq-vit-tiny") == cached


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, model: SamHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def breaks(target: Path, data: bytes) -> int:
        with target.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", breaks)
    with pytest.raises(CheckpointError, match=r"written \(No space left on device\); check"):
        save_checkpoint(model, path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_model_with_an_adapter_is_not_saved_as_a_checkpoint(tmp_path: Path) -> None:
    from dentasam.model.adapters.lora import LoraSettings, add_lora

    adapted = add_lora(build_sam_hq("vit_tiny"), LoraSettings(scope="hq", rank=1))
    with pytest.raises(ValueError, match="merge it before"):
        save_checkpoint(adapted, tmp_path / "model.safetensors")
