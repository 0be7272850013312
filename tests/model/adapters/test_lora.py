"""What each scope trains in SAM-HQ with TinyViT, and that merging and switching adapters are exact."""

import copy
import re

import pytest
import torch
from torch import Tensor, nn

from dentasam.errors import AdapterError
from dentasam.model.adapters.lora import SCOPES, LoraSettings, Scope, add_lora
from dentasam.model.adapters.merging import merge_adapter
from dentasam.model.adapters.switching import active_adapter, adapter_names, remove_adapter, use_adapter
from dentasam.model.adapters.trainable import (
    freeze_statistics,
    mark_only_adapter_trainable,
    trainable_line,
    trainable_parameters,
    trainable_share,
)
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.sam_hq import SamHQ, build_sam_hq

FRAME = Frame(height=64, width=128, scale=1.0, rows=4, cols=8)
PROMPTS = Prompts(
    points=torch.tensor([[[20.0, 30.0]], [[90.0, 40.0]]]),
    labels=torch.ones(2, 1, dtype=torch.long),
    logits=torch.zeros(2, 16, 32),
)
HQ_MODULE = ("hf_token", "hf_mlp", "compress_vit_feat", "embedding_encoder", "embedding_maskfeature")


@pytest.fixture(scope="module")
def base() -> SamHQ:
    torch.manual_seed(0)
    model = build_sam_hq("vit_tiny")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.randn(1, 3, 64, 128, generator=torch.Generator().manual_seed(1))


def outputs(model: SamHQ, pixels: Tensor) -> Tensor:
    """Everything the decoder can be asked for, as one tensor."""
    embedding = model.encode(pixels, FRAME)
    single = model.decode(embedding, PROMPTS)
    multi = model.decode(embedding, PROMPTS, multimask=True)
    return torch.cat([single.logits.flatten(), multi.logits.flatten(), single.scores, multi.scores])


def perturb(model: SamHQ, seed: int) -> None:
    """Move every trainable number, so that A gets a gradient and the adapter does something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in trainable_parameters(model):
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))


def adapted(base: SamHQ, settings: LoraSettings, seed: int = 2) -> SamHQ:
    model = add_lora(copy.deepcopy(base), settings).eval()
    perturb(model, seed)
    return model


SETTINGS = [
    *(LoraSettings(scope=scope, rank=2) for scope in SCOPES),
    LoraSettings(rank=2, rslora=True, train_norms=False),
    LoraSettings(rank=2, dora=True),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_merged_is_adapted(base: SamHQ, pixels: Tensor, settings: LoraSettings) -> None:
    model = adapted(base, settings)
    with torch.no_grad():
        plain = outputs(base, pixels)
        expected = outputs(model, pixels)
        merged = merge_adapter(model)
        assert (expected - plain).abs().max() > 1e-3
        torch.testing.assert_close(outputs(merged, pixels), expected, atol=1e-5, rtol=1e-5)
        assert torch.equal(outputs(model, pixels), expected)
    assert [*merged.state_dict()] == [*base.state_dict()]
    assert not hasattr(merged, "peft_config")
    assert {type(module) for module in merged.modules()} == {type(module) for module in base.modules()}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_every_trainable_tensor_gets_a_gradient(base: SamHQ, pixels: Tensor, settings: LoraSettings) -> None:
    model = adapted(base, settings)
    model.train()
    freeze_statistics(model)
    generator = torch.Generator().manual_seed(3)
    embedding = model.encode(pixels, FRAME)
    loss = torch.zeros(())
    for head in range(4):  # each of SAM's masks in turn, whichever the scores would choose
        prediction = model.decode(embedding, PROMPTS, multimask=head > 0)
        loss = loss + (prediction.logits * torch.randn(prediction.logits.shape, generator=generator)).sum()
        loss = loss + prediction.scores.sum()
    vectors = model.mask_decoder.output_hypernetworks_mlps
    tokens = model.mask_decoder.mask_tokens.weight
    loss = loss + sum(vectors[i](tokens[i : i + 1]).sum() for i in range(4))
    loss.backward()
    silent = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().max() > 0)
    ]
    # What is added to all keys alike moves no attention: its gradient is zero, and absorbed projections leave it out.
    assert [name for name in silent if not re.search(r"token_to_image\.k_proj\..*bias$", name)] == []


@pytest.mark.parametrize("scope", SCOPES)
def test_only_the_scope_trains(base: SamHQ, scope: Scope) -> None:
    model = add_lora(copy.deepcopy(base), LoraSettings(scope=scope, rank=2))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    within = {
        "encoder+decoder": lambda name: name.startswith(("image_encoder.", "mask_decoder.")),
        "encoder": lambda name: name.startswith("image_encoder."),
        "decoder": lambda name: name.startswith("mask_decoder."),
        "hq": lambda name: name.split(".")[:2] in [["mask_decoder", part] for part in HQ_MODULE],
    }[scope]
    assert all(within(name) for name in trained)
    assert all(".lora_" in name or ".modules_to_save." in name for name in trained)
    # every part of the scope has something to train: none fell through by a name that changed
    parts = {name.split(".lora_")[0].split(".modules_to_save")[0] for name in trained}
    layers = {
        name
        for name, module in base.named_modules()
        if within(name) and [*module.parameters(recurse=False)] and not hasattr(module, "attention_biases")
    }
    assert parts == layers


def test_without_norms_only_low_rank_weights_train(base: SamHQ) -> None:
    model = add_lora(copy.deepcopy(base), LoraSettings(rank=2, train_norms=False))
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert all(name.endswith((".lora_A.default.weight", ".lora_B.default.weight")) for name in trained)


def test_a_fresh_adapter_changes_nothing(base: SamHQ, pixels: Tensor) -> None:
    model = add_lora(copy.deepcopy(base), LoraSettings(rank=2)).eval()
    with torch.no_grad():
        assert torch.equal(outputs(model, pixels), outputs(base, pixels))


def test_vit_layers_are_adapted(base: SamHQ) -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        model = build_sam_hq("vit_b")
        add_lora(model, LoraSettings(scope="encoder", rank=2))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for layer in ("attn.qkv", "attn.proj", "mlp.lin1", "mlp.lin2"):
        assert f"image_encoder.blocks.11.{layer}.lora_A.default.weight" in trained
    assert "image_encoder.blocks.0.norm1.modules_to_save.default.weight" in trained


def test_adapters_are_switched_without_a_trace(base: SamHQ, pixels: Tensor) -> None:
    model = adapted(base, LoraSettings(rank=2), seed=4)
    with torch.no_grad():
        plain, first = outputs(base, pixels), outputs(model, pixels)
        add_lora(model, LoraSettings(scope="hq", rank=3, train_norms=False), name="second")
        perturb(model, 5)
        second = outputs(model, pixels)
        assert adapter_names(model) == ["default", "second"]
        for name, expected in (("default", first), (None, plain), ("second", second), ("default", first)):
            use_adapter(model, name)
            assert active_adapter(model) == name
            assert torch.equal(outputs(model, pixels), expected)
        assert not trainable_parameters(model)
        torch.testing.assert_close(outputs(merge_adapter(model, "second"), pixels), second, atol=1e-5, rtol=1e-5)
        remove_adapter(model, "second")
        assert torch.equal(outputs(model, pixels), first)
        remove_adapter(model, "default")
        assert torch.equal(outputs(model, pixels), plain)
    assert adapter_names(model) == []
    assert active_adapter(model) is None


def test_names(base: SamHQ) -> None:
    model = add_lora(copy.deepcopy(base), LoraSettings(scope="hq", rank=2), name="panoramic-teeth")
    with pytest.raises(AdapterError, match="in use"):
        add_lora(model, LoraSettings(scope="hq", rank=2), name="panoramic-teeth")
    with pytest.raises(AdapterError, match="dot"):
        add_lora(model, LoraSettings(scope="hq", rank=2), name="v1.0")
    for action in (use_adapter, remove_adapter, merge_adapter, mark_only_adapter_trainable):
        with pytest.raises(AdapterError, match="it has: panoramic-teeth"):
            action(model, "teeth")


def test_the_trainable_share_counts_numbers() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    model[0].requires_grad_(False)
    assert trainable_share(model) == (25, 41)
    assert trainable_line(model) == "25 of 41 parameters train (61.0%)"


def test_statistics_stay_while_training(base: SamHQ, pixels: Tensor) -> None:
    model = add_lora(copy.deepcopy(base), LoraSettings(scope="encoder", rank=2))
    before = {name: value.clone() for name, value in model.named_buffers()}
    model.train()
    freeze_statistics(model)
    model.encode(pixels, FRAME)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_dropout_acts_in_training_alone(base: SamHQ, pixels: Tensor) -> None:
    model = adapted(base, LoraSettings(rank=2, dropout=0.5))
    with torch.no_grad():
        assert torch.equal(outputs(model, pixels), outputs(model, pixels))
        model.train()
        freeze_statistics(model)
        assert not torch.equal(outputs(model, pixels), outputs(model, pixels))


@pytest.mark.parametrize(
    "wrong", [{"scope": "prompt"}, {"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"dropout": float("nan")}]
)
def test_settings_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoraSettings(**wrong)  # type: ignore[arg-type]


def test_an_adapter_that_overflows_is_named_as_the_user_named_it(base: SamHQ) -> None:
    model = adapted(base, LoraSettings(rank=2))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.fill_(1e38)
    with pytest.raises(
        AdapterError, match=r"^the adapter runs/a/best cannot be merged \(.*\); train it again$"
    ) as caught:
        merge_adapter(model, source="runs/a/best")
    assert "default" not in str(caught.value)
