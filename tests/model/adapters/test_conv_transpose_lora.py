"""LoRA on a bare transposed convolution, against the dense weight it stands for."""

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn

from dentasam.model.adapters.conv_transpose_lora import Conv2dLora, ConvTranspose2dLora, register_conv_lora
from dentasam.model.core.effective_weights import effective_weights


def adapted(layer: nn.ConvTranspose2d, config: LoraConfig, names: tuple[str, ...] = ("a",)) -> ConvTranspose2dLora:
    lora = ConvTranspose2dLora(layer, names[0], config, r=config.r, lora_alpha=config.lora_alpha)
    for name in names[1:]:
        lora.update_layer(name, config.r, lora_alpha=config.lora_alpha, config=config)
    with torch.no_grad():
        for name in names:
            nn.init.normal_(lora.lora_B[name].get_parameter("weight"))
            if config.lora_bias:
                nn.init.normal_(lora.lora_B[name].get_parameter("bias"))
    return lora


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 6, 5, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("geometry", [(2, 2, 0, 0), (3, 2, 1, 1), (4, 1, 2, 0)])
@pytest.mark.parametrize("rslora", [False, True])
def test_the_adapted_layer_is_one_dense_layer(x: Tensor, geometry: tuple[int, int, int, int], rslora: bool) -> None:
    torch.manual_seed(1)
    kernel, stride, padding, output_padding = geometry
    base = nn.ConvTranspose2d(6, 4, kernel, stride, padding, output_padding)
    assert base.bias is not None
    config = LoraConfig(r=3, lora_alpha=5, use_rslora=rslora, lora_bias=True)
    lora = adapted(base, config)
    scaling = 5 / 3**0.5 if rslora else 5 / 3
    a, b = lora.lora_A["a"].get_parameter("weight"), lora.lora_B["a"].get_parameter("weight")
    weight = base.weight.clone()
    for i in range(6):
        for o in range(4):
            weight[i, o] += scaling * sum(a[r, i, 0, 0] * b[r, o] for r in range(3))
    bias = base.bias + scaling * lora.lora_B["a"].get_parameter("bias")
    expected = nn.functional.conv_transpose2d(x, weight, bias, stride, padding, output_padding)
    torch.testing.assert_close(lora(x), expected, atol=1e-5, rtol=1e-5)
    assert b.shape == (3, 4, kernel, kernel)


def test_merge_changes_no_output_and_unmerge_takes_it_back(x: Tensor) -> None:
    torch.manual_seed(2)
    base = nn.ConvTranspose2d(6, 4, 2, 2)
    original = base.weight.clone()
    lora = adapted(base, LoraConfig(r=2, lora_bias=True))
    before = lora(x)
    lora.merge(safe_merge=True)
    torch.testing.assert_close(lora(x), before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(base(x), before, atol=1e-5, rtol=1e-5)
    lora.unmerge()
    torch.testing.assert_close(base.weight, original, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(lora(x), before, atol=1e-5, rtol=1e-5)


def test_a_fresh_adapter_changes_nothing(x: Tensor) -> None:
    base = nn.ConvTranspose2d(6, 4, 2, 2)
    expected = base(x)
    lora = ConvTranspose2dLora(base, "a", LoraConfig(r=2, lora_bias=True), r=2, lora_alpha=8)
    assert torch.equal(lora(x), expected)


def test_adapters_are_chosen_by_name(x: Tensor) -> None:
    base = nn.ConvTranspose2d(6, 4, 2, 2)
    expected = base(x)
    lora = adapted(base, LoraConfig(r=2), names=("a", "b"))
    lora.set_adapter("a")
    only_a = lora(x)
    lora.set_adapter("b")
    only_b = lora(x)
    assert not torch.allclose(only_a, only_b)
    lora.set_adapter(["a", "b"])
    torch.testing.assert_close(lora(x), only_a + only_b - expected, atol=1e-5, rtol=1e-5)
    lora.enable_adapters(False)
    assert torch.equal(lora(x), expected)


def test_a_merge_that_is_not_finite_is_refused() -> None:
    lora = adapted(nn.ConvTranspose2d(6, 4, 2, 2), LoraConfig(r=2))
    lora.lora_B["a"].get_parameter("weight").data.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        lora.merge(safe_merge=True)


def test_grouped_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="2 groups"):
        ConvTranspose2dLora(nn.ConvTranspose2d(6, 4, 2, 2, groups=2), "a", LoraConfig(r=2), r=2)


def test_a_convolution_without_bias_is_given_none() -> None:
    config = register_conv_lora(LoraConfig(r=2, lora_bias=True))
    without = Conv2dLora(nn.Conv2d(6, 4, 3, bias=False), "a", config, r=2)
    assert without.lora_B["a"].bias is None
    with_bias = Conv2dLora(nn.Conv2d(6, 4, 3), "a", config, r=2, lora_alpha=6)
    nn.init.ones_(with_bias.lora_B["a"].bias)
    working = effective_weights(with_bias)
    assert working is not None
    torch.testing.assert_close(working.bias, with_bias.get_base_layer().bias + 3)
