"""Absorbing the image's projections into an object's tokens changes nothing but the work."""

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from dentasam.model.decoder.cross_attention import Attention, OwnTokens
from dentasam.model.decoder.transformer import TwoWayAttentionBlock

OBJECTS, IMAGE, WIDTH, HEADS, RANK = 3, 40, 64, 4, 5
# An attention of inner width 32 and 4 heads absorbs up to 10 tokens.
FEW, MANY = 6, 12


class Side(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention(WIDTH, HEADS, downsample=2)


@pytest.fixture(params=["plain", "lora", "dora"])
def adapters(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def attention(adapters: str) -> Attention:
    torch.manual_seed(0)
    side = Side()
    adapt(side, adapters)
    return side.attention.double().eval()


def adapt(module: nn.Module, adapters: str) -> None:
    """Put adapters around the attention's layers, and draw every weight."""
    if adapters != "plain":
        dora = adapters == "dora"
        config = LoraConfig(
            r=2, lora_bias=not dora, use_dora=dora, target_modules=["q_proj", "k_proj", "v_proj", "out_proj"]
        )
        inject_adapter_in_model(config, module)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def own() -> OwnTokens:
    return OwnTokens(drawn(OBJECTS, IMAGE, RANK), drawn(WIDTH, RANK))


@pytest.mark.parametrize("tokens", [FEW, MANY])
def test_reading_an_image_is_attention_to_it(attention: Attention, tokens: int) -> None:
    few, keys, image = drawn(OBJECTS, tokens, WIDTH), drawn(OBJECTS, IMAGE, WIDTH), 2 * drawn(OBJECTS, IMAGE, WIDTH)
    torch.testing.assert_close(attention.read(few, keys, image), attention(few, keys, image))


@pytest.mark.parametrize("tokens", [FEW, MANY])
def test_an_image_that_reads_tokens_attends_to_them(attention: Attention, tokens: int) -> None:
    image, keys, few = drawn(OBJECTS, IMAGE, WIDTH), drawn(OBJECTS, tokens, WIDTH), 2 * drawn(OBJECTS, tokens, WIDTH)
    torch.testing.assert_close(attention.write(image, 3 * image, keys, few), image + attention(3 * image, keys, few))


@torch.no_grad()
def test_an_image_of_another_type_than_the_arithmetic_reads_tokens_too() -> None:
    """As in a validation in bf16: what a norm gives is in single precision, and what autocast multiplies is not."""
    torch.manual_seed(0)
    attention = Side().attention.eval()
    image, keys, tokens = drawn(OBJECTS, IMAGE, WIDTH), drawn(OBJECTS, FEW, WIDTH), drawn(OBJECTS, FEW, WIDTH)
    image, keys, tokens = image.float(), keys.float(), tokens.float()
    expected = image + attention(image, keys, tokens)
    with torch.autocast("cpu", torch.bfloat16):
        found = attention.write(image, image, keys, tokens)
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.02)


@pytest.mark.parametrize("tokens", [FEW, MANY])
@pytest.mark.parametrize("masks", [False, True])
def test_a_block_on_an_image_that_objects_share(adapters: str, tokens: int, masks: bool) -> None:
    """Projected once for all, with what each object adds, or copied for each of them: the same."""
    torch.manual_seed(0)
    block = TwoWayAttentionBlock(WIDTH, HEADS, 32, skip_first_positions=True)
    adapt(block, adapters)
    block = block.double().eval()
    image, positions, added = drawn(1, IMAGE, WIDTH), drawn(1, IMAGE, WIDTH).flip(1), drawn(WIDTH)
    few, places, each = drawn(OBJECTS, tokens, WIDTH), drawn(OBJECTS, tokens, WIDTH).flip(1), own() if masks else None
    shared = block.projections(image, positions)
    assert (shared is None) == (adapters == "dora")
    if shared is not None:
        shared = block.shifted(shared, added)
    image = image + added
    copied = image.expand(OBJECTS, -1, -1) if each is None else each.added_to(image)
    whole = block(few, copied, places, positions)
    for found in (block(few, image, places, positions, each), block(few, image, places, positions, each, shared)):
        torch.testing.assert_close(found, whole)


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
