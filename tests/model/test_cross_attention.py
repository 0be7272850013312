"""Absorbing the image's projections into an object's tokens changes nothing but the work."""

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from dentasam.model.cross_attention import Attention, OwnTokens

OBJECTS, IMAGE, WIDTH, HEADS, RANK = 3, 40, 64, 4, 5
# An attention of inner width 32 and 4 heads absorbs up to 10 tokens.
FEW, MANY = 6, 12


class Side(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention(WIDTH, HEADS, downsample=2)


@pytest.fixture(params=["plain", "lora", "dora"])
def attention(request: pytest.FixtureRequest) -> Attention:
    torch.manual_seed(0)
    side = Side()
    if request.param != "plain":
        dora = request.param == "dora"
        config = LoraConfig(
            r=2, lora_bias=not dora, use_dora=dora, target_modules=["q_proj", "k_proj", "v_proj", "out_proj"]
        )
        inject_adapter_in_model(config, side)
    for parameter in side.parameters():
        nn.init.normal_(parameter, std=0.3)
    return side.attention.double().eval()


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def own() -> OwnTokens:
    return OwnTokens(drawn(OBJECTS, IMAGE, RANK), drawn(WIDTH, RANK))


@pytest.mark.parametrize("tokens", [FEW, MANY])
@pytest.mark.parametrize("images", [1, OBJECTS])
def test_reading_an_image_is_attention_to_it(attention: Attention, tokens: int, images: int) -> None:
    few, keys, image = drawn(OBJECTS, tokens, WIDTH), drawn(images, IMAGE, WIDTH), drawn(images, IMAGE, WIDTH)
    torch.testing.assert_close(attention.read(few, keys, image), attention(few, keys, image))


@pytest.mark.parametrize("tokens", [FEW, MANY])
@pytest.mark.parametrize("images", [1, OBJECTS])
def test_an_image_that_reads_tokens_attends_to_them(attention: Attention, tokens: int, images: int) -> None:
    image, keys, few = drawn(images, IMAGE, WIDTH), drawn(OBJECTS, tokens, WIDTH), drawn(OBJECTS, tokens, WIDTH)
    torch.testing.assert_close(attention.written(image, keys, few), attention(image, keys, few))


@pytest.mark.parametrize("tokens", [FEW, MANY])
def test_what_objects_add_to_an_image_they_share(attention: Attention, tokens: int) -> None:
    few, keys, image, each = drawn(OBJECTS, tokens, WIDTH), drawn(1, IMAGE, WIDTH), drawn(1, IMAGE, WIDTH), own()
    whole = attention(few, each.added_to(keys), each.added_to(image))
    torch.testing.assert_close(attention.read(few, keys, image, each), whole)
    written = attention(each.added_to(image), few, 2 * few)
    torch.testing.assert_close(attention.written(image, few, 2 * few, each), written)


def test_absorbed_gradients_are_those_of_attention() -> None:
    torch.manual_seed(0)
    attention = Attention(WIDTH, HEADS, downsample=2).double()
    few, image = drawn(OBJECTS, FEW, WIDTH), drawn(OBJECTS, IMAGE, WIDTH)
    gradients = []
    for call in (attention, attention.read):
        sides = [side.clone().requires_grad_() for side in (few, image)]
        out = call(sides[0], sides[1], sides[1])
        gradients.append(
            torch.autograd.grad((out * out).sum(), [*sides, attention.k_proj.weight, attention.v_proj.bias])
        )
    for plain, absorbed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, absorbed)
