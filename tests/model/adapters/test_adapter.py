"""Adapters on disk: what is saved is what is loaded, by us and by PEFT, and nothing else is taken for one."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig, PeftModel, inject_adapter_in_model
from peft.utils import load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import dentasam
from dentasam.errors import AdapterError
from dentasam.model.adapters import folder as adapter_folder
from dentasam.model.adapters.conv_transpose_lora import register_conv_lora
from dentasam.model.adapters.folder import CARD, CONFIG, WEIGHTS, AdapterCard, bundled_adapters, find_adapter
from dentasam.model.adapters.loading import load_adapter
from dentasam.model.adapters.lora import LoraSettings, add_lora
from dentasam.model.adapters.merging import merge_adapter
from dentasam.model.adapters.saving import save_adapter
from dentasam.model.adapters.switching import active_adapter, adapter_names, use_adapter
from dentasam.model.adapters.trainable import trainable_parameters
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.sam_hq import SamHQ, build_sam_hq

FRAME = Frame(height=64, width=128, scale=1.0, rows=4, cols=8)
PROMPTS = Prompts(points=torch.tensor([[[20.0, 30.0]]]), labels=torch.ones(1, 1, dtype=torch.long))
PIXELS = torch.randn(1, 3, 64, 128, generator=torch.Generator().manual_seed(1))
HASH = "ab" * 32


@pytest.fixture(scope="module")
def base() -> SamHQ:
    torch.manual_seed(0)
    model = build_sam_hq("vit_tiny").eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                # the range of variances in a trained network is wider than fp16
                module.running_var.uniform_(0.5, 2)
                module.running_mean.normal_(std=0.1)
                module.running_var[0], module.weight[0] = 4e6, 2e3
    return model


@torch.no_grad()
def output(model: SamHQ) -> Tensor:
    prediction = model.decode(model.encode(PIXELS, FRAME), PROMPTS)
    return torch.cat([prediction.logits.flatten(), prediction.scores])


def adapted(base: SamHQ, settings: LoraSettings, seed: int) -> SamHQ:
    model = add_lora(copy.deepcopy(base), settings).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in trainable_parameters(model):
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return model


def card(**changes: Any) -> AdapterCard:
    values = {"base_model": "dentasam-tiny", "base_sha256": HASH, "scope": "encoder+decoder", **changes}
    return AdapterCard(**values)


@pytest.fixture(scope="module")
def saved(base: SamHQ, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor]:
    """A saved adapter and what its model answers, in single precision."""
    folder = tmp_path_factory.mktemp("runs") / "adapter"
    model = adapted(base, LoraSettings(rank=2, rslora=True), seed=2)
    save_adapter(model, folder, card(recipe={"rank": 2}, data="phantoms", scores={"dice@1": 0.9}), half=False)
    return folder, output(model)


@pytest.fixture
def folder(saved: tuple[Path, Tensor], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved[0], tmp_path / "adapter"))


@pytest.mark.parametrize(
    "settings",
    [LoraSettings(rank=2), LoraSettings(rank=2, dora=True), LoraSettings(scope="hq", rank=2)],
    ids=str,
)
def test_loaded_is_saved(base: SamHQ, tmp_path: Path, settings: LoraSettings) -> None:
    model = adapted(base, settings, seed=3)
    written = card(scope=settings.scope, recipe={"lora": {"rank": 2}}, scores={"dice_at_clicks": [0.9]})
    save_adapter(model, tmp_path, written, half=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([CARD, CONFIG, WEIGHTS])
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1
    fresh = copy.deepcopy(base)
    read = load_adapter(fresh, tmp_path, HASH, name="teeth")
    assert read == written
    assert read.dentasam == dentasam.__version__
    assert torch.equal(output(fresh), output(model))
    assert not trainable_parameters(fresh)


def test_half_precision_costs_little_and_keeps_the_statistics(base: SamHQ, tmp_path: Path) -> None:
    model = adapted(base, LoraSettings(rank=2), seed=3)
    save_adapter(model, tmp_path / "half", card())
    loaded = copy.deepcopy(base)
    load_adapter(loaded, tmp_path / "half", HASH)
    error = (output(loaded) - output(model)).abs().max()
    assert error < 0.02 * (output(model) - output(base)).abs().max()
    # what was rounded once is rounded no further
    save_adapter(loaded, tmp_path / "again", card())
    first, again = (load_file(tmp_path / name / WEIGHTS) for name in ("half", "again"))
    assert all(torch.equal(first[key], again[key]) for key in first | again)
    assert {key: first[key].dtype for key in first if "running" in key or key.endswith("lora_A.weight")} == {
        key: torch.float32 if "running" in key else torch.float16
        for key in first
        if "running" in key or key.endswith("lora_A.weight")
    }


def test_the_shipped_rank_stays_below_four_megabytes(base: SamHQ, tmp_path: Path) -> None:
    save_adapter(add_lora(copy.deepcopy(base), LoraSettings(rank=24)), tmp_path, card())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4_000_000


def test_adapters_are_switched_on_one_base(base: SamHQ, saved: tuple[Path, Tensor], tmp_path: Path) -> None:
    folder_a, answer_a = saved
    model_b = adapted(base, LoraSettings(scope="decoder", rank=3), seed=5)
    save_adapter(model_b, tmp_path, card(scope="decoder"), half=False)
    answer_b, plain = output(model_b), output(base)

    model = copy.deepcopy(base)
    load_adapter(model, folder_a, HASH, name="a")
    load_adapter(model, tmp_path, HASH, name="b")
    for name, expected in (("b", answer_b), (None, plain), ("a", answer_a), ("b", answer_b), (None, plain)):
        use_adapter(model, name)
        assert torch.equal(output(model), expected)
    # an adapter saved from a model that carries others is the same adapter
    save_adapter(model, tmp_path / "again", card(), name="a", half=False)
    first, again = load_file(folder_a / WEIGHTS), load_file(tmp_path / "again" / WEIGHTS)
    assert [*first] == [*again]
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_a_merged_model_is_a_checkpoint(base: SamHQ, saved: tuple[Path, Tensor], tmp_path: Path) -> None:
    model = copy.deepcopy(base)
    load_adapter(model, saved[0], HASH)
    save_checkpoint(merge_adapter(model), tmp_path / "merged.safetensors", half=False)
    loaded, info = load_model(tmp_path / "merged.safetensors")
    assert info.kind == "vit_tiny"
    torch.testing.assert_close(output(loaded), saved[1], atol=1e-5, rtol=1e-5)


def test_peft_reads_the_folder(base: SamHQ, saved: tuple[Path, Tensor]) -> None:
    folder, expected = saved
    config = register_conv_lora(PeftConfig.from_pretrained(str(folder)))
    wrapped = PeftModel.from_pretrained(copy.deepcopy(base), str(folder), config=config)
    adapted: Any = wrapped.get_base_model()
    assert torch.equal(output(adapted), expected)

    config = register_conv_lora(PeftConfig.from_pretrained(str(folder)))
    model: Any = inject_adapter_in_model(config, copy.deepcopy(base))
    weights = {
        key.removeprefix("base_model.model."): value
        for key, value in load_peft_weights(str(folder), device="cpu").items()
    }
    result: Any = set_peft_model_state_dict(model, weights)
    assert not result.unexpected_keys
    assert torch.equal(output(model), expected)


@pytest.fixture(scope="module")
def refused(base: SamHQ) -> Callable[..., str]:
    """Loading raises one line, and the model computes as before, however often it is tried."""
    model = copy.deepcopy(base)
    expected = output(base)

    def check(folder: Path, match: str, base_sha256: str = HASH) -> str:
        with pytest.raises(AdapterError, match=match) as raised:
            load_adapter(model, folder, base_sha256, base_name="sam-hq-vit-tiny")
        assert torch.equal(output(model), expected)
        assert adapter_names(model) == []
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return check


def test_another_base_is_named(refused: Callable[..., str], saved: tuple[Path, Tensor]) -> None:
    message = refused(saved[0], "trained on dentasam-tiny", base_sha256="cd" * 32)
    assert "abababababab" in message
    assert "sam-hq-vit-tiny (sha256 cdcdcdcdcdcd" in message


@pytest.mark.parametrize("file", [CARD, CONFIG, WEIGHTS])
def test_a_missing_file(refused: Callable[..., str], folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert str(folder) in refused(folder, f"{file} missing")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights(refused: Callable[..., str], folder: Path, share: float) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: int(share * len(content))])
    refused(folder, "damaged or cut short")


@pytest.mark.parametrize("file", [CARD, CONFIG])
@pytest.mark.parametrize("content", ["", "{", "[]", "\x00", "{}", '{"base_model": 3, "peft_type": "LOHA"}'])
def test_malformed_json(refused: Callable[..., str], folder: Path, file: str, content: str) -> None:
    (folder / file).write_text(content)
    assert file in refused(folder, "save|supported")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"r": 0}, "rank"),
        ({"r": "8"}, "LoRA config"),
        ({"r": 10**12}, "rank"),
        ({"lora_alpha": None}, "LoRA config"),
        ({"lora_dropout": 1.5}, "dropout"),
        ({"target_modules": "a(a+)+$"}, "lists"),
        ({"target_modules": ["no.such.layer"]}, "no layer no.such.layer"),
        ({"modules_to_save": ["mask_decoder.output_hypernetworks_mlps"]}, "no layer"),
        ({"modules_to_save": None}, "left over"),
        ({"target_modules": ["mask_decoder.iou_token"]}, "no layer mask_decoder.iou_token"),
        ({"target_modules": []}, "lists"),
        ({"target_modules": [None]}, "lists"),
        ({"modules_to_save": [["a"]]}, "lists"),
        ({"peft_type": "PROMPT_TUNING"}, "PROMPT_TUNING"),
        ({"peft_type": ["x" * 999] * 999}, "peft_type is .{1,70}; only"),
        ({"use_dora": True}, "use_dora with lora_bias is not supported"),
        ({"use_dora": True, "lora_bias": False}, "left over"),
        ({"use_dora": "yes"}, "true or false"),
        ({"lora_alpha": -8}, "alpha"),
        ({"lora_alpha": 10**90}, "alpha"),
        ({"r": 10**200}, "a number with 201 digits"),
        ({"rank_pattern": {"a": 2}}, "rank_pattern .* is not supported"),
        ({"alpha_pattern": {"(a+)+$": 2}}, "alpha_pattern .* is not supported"),
        ({"layers_to_transform": [1]}, "layers_to_transform"),
        ({"bias": "all"}, "bias 'all' is not supported"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights 'pissa'"),
        ({"target_modules": ["qkv"] * 50_000}, "no layer qkv"),
    ],
    ids=str,
)
def test_a_config_that_does_not_fit(
    refused: Callable[..., str], folder: Path, changes: dict[str, Any], match: str
) -> None:
    content = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**content, **changes}))
    refused(folder, match)


@pytest.mark.parametrize("file", [CARD, CONFIG])
def test_deep_json(refused: Callable[..., str], folder: Path, file: str) -> None:
    for text in ("[" * 100_000, '{"a":' * 500 + "1" + "}" * 500):
        (folder / file).write_text(text)
        assert file in refused(folder, "nested more than 100 levels deep")


def test_weights_of_other_types(refused: Callable[..., str], folder: Path) -> None:
    sound = load_file(folder / WEIGHTS)
    key = next(key for key in sound if key.endswith("lora_A.weight"))
    for dtype in (torch.int32, torch.bool, torch.complex64):
        save_file({**sound, key: sound[key].to(dtype)}, folder / WEIGHTS)
        refused(folder, f"lora_A.weight holds {dtype}, not floating-point numbers")
    save_file({**sound, key: torch.tensor(1.0)}, folder / WEIGHTS)
    refused(folder, "of another shape")


def test_an_unknown_scope(refused: Callable[..., str], folder: Path) -> None:
    content = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**content, "scope": "everything"}))
    refused(folder, "scope")


def test_keys_that_are_missing_left_over_or_of_another_shape(refused: Callable[..., str], folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    key = next(key for key in weights if key.endswith("lora_B.weight"))
    tensor = weights.pop(key)
    save_file(weights, folder / WEIGHTS)
    assert key.removeprefix("base_model.model.") in refused(folder, "1 keys missing")
    save_file({**weights, key: tensor, "base_model.model.extra": torch.ones(1)}, folder / WEIGHTS)
    refused(folder, "1 keys left over .first: extra")
    save_file({**weights, key: tensor[1:].clone()}, folder / WEIGHTS)
    refused(folder, "1 keys of another shape")


def test_another_architecture(saved: tuple[Path, Tensor]) -> None:
    with torch.device("meta"):
        model = build_sam_hq("vit_b")
    with pytest.raises(AdapterError, match="own base"):
        load_adapter(model, saved[0], HASH)


def test_a_refused_adapter_leaves_the_active_one(base: SamHQ, saved: tuple[Path, Tensor], folder: Path) -> None:
    model = copy.deepcopy(base)
    load_adapter(model, saved[0], HASH, name="good")
    weights = load_file(folder / WEIGHTS)
    weights.popitem()
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(AdapterError, match="missing"):
        load_adapter(model, folder, HASH, name="bad")
    assert adapter_names(model) == ["good"]
    assert active_adapter(model) == "good"
    assert torch.equal(output(model), saved[1])
    with pytest.raises(AdapterError, match="in use"):
        load_adapter(model, saved[0], HASH, name="good")
    assert torch.equal(output(model), saved[1])


def test_what_is_no_adapter(tmp_path: Path, saved: tuple[Path, Tensor]) -> None:
    with pytest.raises(AdapterError, match="no such adapter folder"):
        find_adapter("no-such-adapter")
    with pytest.raises(AdapterError, match="a file; an adapter is the folder"):
        find_adapter(saved[0] / WEIGHTS)
    with pytest.raises(AdapterError, match="not a complete adapter"):
        find_adapter(tmp_path)


def test_bundled_adapters_are_found_by_name(
    saved: tuple[Path, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(saved[0], tmp_path / "panoramic-teeth")
    monkeypatch.setattr(adapter_folder, "BUNDLED", tmp_path)
    assert bundled_adapters() == ["panoramic-teeth"]
    assert find_adapter("panoramic-teeth") == tmp_path / "panoramic-teeth"
    with pytest.raises(AdapterError, match="bundled: panoramic-teeth"):
        find_adapter("../panoramic-teeth/nothing")


def test_weights_that_are_not_finite_are_not_saved(base: SamHQ, tmp_path: Path) -> None:
    model = add_lora(copy.deepcopy(base), LoraSettings(scope="hq", rank=2))
    trainable_parameters(model)[0].data.fill_(1e6)  # finite, but not in fp16
    with pytest.raises(AdapterError, match="not finite"):
        save_adapter(model, tmp_path / "run", card())
    assert not (tmp_path / "run").exists()
    with pytest.raises(AdapterError, match="not on this model"):
        save_adapter(model, tmp_path / "run", card(), name="other")


def test_weights_that_are_not_finite_are_not_loaded(refused: Callable[..., str], folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = list(weights)[-1]
    weights[name].view(-1)[-1] = float("nan")
    save_file(weights, folder / WEIGHTS)
    assert refused(folder, "NaN").startswith(
        f"{folder / WEIGHTS}: {name} holds NaN or infinite numbers; take another"
    )


def test_saving_again_replaces_the_files_and_keeps_others(base: SamHQ, folder: Path) -> None:
    (folder / "README.md").write_text("model card")
    model = add_lora(copy.deepcopy(base), LoraSettings(scope="hq", rank=2))
    save_adapter(model, folder, card(scope="hq"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(["README.md", CARD, CONFIG, WEIGHTS])
    assert load_adapter(copy.deepcopy(base), folder, HASH).scope == "hq"
