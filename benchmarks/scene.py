"""The work all benchmarks share: an image twice as wide as high, a synthetic X-ray, and networks to run."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dentasam.data.phantom import Phantom, generate
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.checkpoints.registry import BUNDLED
from dentasam.model.core.frame import LOGIT_STRIDE, PATCH, Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import EncoderOutput
from dentasam.model.encoder.encoder_registry import ENCODERS
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import SamHQ, build_sam_hq
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre

from .peers import published_decoder

OWN = Frame.of(512, 1024)
# The middle of the panoramic, as training takes crops of one: a quarter of its tokens.
QUARTER = Frame(256, 512, 1.0, 16, 32, top=8, left=16)
SMALL = "small"  # a plain ViT of next to no work, for `--quick` and the tests
DEFAULT = "vit_b"


def random_weights(model: str) -> bool:
    """Whether a model's name stands for a network that is drawn."""
    return model == SMALL or model in ENCODERS


@cache
def drawn() -> Phantom:
    """The synthetic X-ray, 512 x 1024 pixels."""
    return generate(3)


def network(model: str, device: torch.device) -> SamHQ:
    """A network of an official size with random weights (`vit_b`, …), `small`, or a model's name or checkpoint."""
    if model == SMALL:
        found = random_tables(SamHQ(ImageEncoderViT(160, 2, 4, (1,)), 160))
    elif model in ENCODERS:
        found = random_tables(build_sam_hq(model))
    else:
        found, _ = load_model(model)
    return found.eval().requires_grad_(False).to(device)


def random_tables(model: SamHQ) -> SamHQ:
    """Draw the tables of positions, which are zeros when built."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("pos_embed", "rel_pos_h", "rel_pos_w")):
                parameter.normal_(std=0.02)
    return model


def vit_settings(model: SamHQ) -> dict[str, Any] | None:
    """Width, depth, heads and global blocks of a plain ViT encoder, None for another encoder."""
    encoder = model.image_encoder
    if not isinstance(encoder, ImageEncoderViT):
        return None
    blocks: Any = encoder.blocks
    return {
        "hidden_size": encoder.pos_embed.shape[-1],
        "num_hidden_layers": len(blocks),
        "num_attention_heads": blocks[0].attn.num_heads,
        "global_attn_indexes": [index for index, block in enumerate(blocks) if block.window_size == 0],
    }


def squared(frame: Frame) -> Frame:
    """The frame of the same image padded to a square at the bottom, as Segment Anything pads."""
    side = max(frame.rows, frame.cols)
    pixels = max(frame.padded)
    return Frame(pixels, pixels, 1.0, side, side, frame.top, frame.left)


def pixels(frame: Frame, device: torch.device) -> Tensor:
    """Noise (1, 3, 16 rows, 16 cols) in a panoramic's frame, on its own grid or padded with zeros."""
    noise = torch.randn(1, 3, *OWN.padded, generator=torch.Generator().manual_seed(1))
    height, width = frame.padded
    noise = noise[..., :height, :width]
    return nn.functional.pad(noise, (0, width - noise.shape[3], 0, height - noise.shape[2])).to(device)


class Decoding(NamedTuple):
    """What a decoder is asked: the encoder's output for a synthetic X-ray and prompts of its objects."""

    network: SamHQ
    output: EncoderOutput
    frame: Frame
    prompts: Prompts


@torch.inference_mode()
def decoding(device: torch.device, model: str, objects: int, previous: bool, square: bool) -> Decoding:
    """Objects of a synthetic X-ray with a click each; with `previous` with a correction click and their last mask.

    Random weights would give masks that cover half the image, which is not a decoder's usual work. So the bundled
    model's decoder and features are copied into the network, as far as their width goes; the amount of work stays the
    network's own.
    """
    frame = squared(OWN) if square else OWN
    network_, output = with_bundled_decoder(model, device, frame)
    truth = (truths(objects, frame, device) >= 0.5).cpu().numpy()
    points = torch.from_numpy(frame.logit_points_to_frame(interior_centre(truth)))[:, None].to(device)
    prompts = Prompts(points, torch.ones(objects, 1, dtype=torch.long, device=device))
    if previous:
        logits = published_decoder.decode(network_, output, frame, prompts).logits
        clicks = correction_clicks((logits > 0).cpu().numpy(), truth)
        found = torch.from_numpy(clicks.found).to(device)
        at = torch.from_numpy(frame.logit_points_to_frame(clicks.points)).to(device)
        labels = torch.where(found, torch.from_numpy(clicks.labels).to(device), 1)
        prompts = prompts.with_clicks(torch.where(found[:, None], at, prompts.points[:, -1]), labels, logits)
    return Decoding(network_, output, frame, prompts)


class Training(NamedTuple):
    """What a training step is given: a synthetic X-ray's pixels and its objects' coverage."""

    network: SamHQ
    pixels: Tensor
    coverage: Tensor
    frame: Frame


def training(device: torch.device, model: str, objects: int, frame: Frame, stride: int = LOGIT_STRIDE) -> Training:
    """Objects of a synthetic X-ray; with random weights, decoder and features are copied in as in `decoding`.

    The copied features replace all but a thousandth of the encoder's, which still does all its work, forward and
    backward.
    """
    network_, output = with_bundled_decoder(model, device, frame)

    def features(_: nn.Module, __: object, own: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return output.features + 1e-3 * own[0], output.intermediate + 1e-3 * own[1]

    if random_weights(model):
        network_.get_submodule("image_encoder").register_forward_hook(features)
    return Training(network_, xray(frame, device), truths(objects, frame, device, stride), frame)


@torch.no_grad()
def with_bundled_decoder(model: str, device: torch.device, frame: Frame) -> tuple[SamHQ, EncoderOutput]:
    """A network, with the bundled model's decoder where its weights are random, and the X-ray's features."""
    network_ = network(model, device)
    encoder = network_
    if random_weights(model):
        encoder = network(BUNDLED, device)
        copy_decoder(encoder, network_)
    output = encoder.encoder_output(xray(frame, device), frame)
    wider = network_.mask_decoder.compress_vit_feat[0].get_parameter("weight").shape[0] - output.intermediate.shape[1]
    return network_, EncoderOutput(output.features, nn.functional.pad(output.intermediate, (0, 0, 0, 0, 0, wider)))


def xray(frame: Frame, device: torch.device) -> Tensor:
    """The synthetic X-ray's pixels (1, 3, 16 rows, 16 cols) in a frame, zeros around it."""
    return inside(OWN.pixels(drawn().image), frame).to(device)


def inside(maps: Tensor, frame: Frame) -> Tensor:
    """The frame's part of maps (…, 512, 1024) of the X-ray, zeros where it has none."""
    (height, width), top, left = frame.padded, PATCH * frame.top, PATCH * frame.left
    part = maps[..., top : top + height, left : left + width]
    return nn.functional.pad(part, (0, width - part.shape[-1], 0, height - part.shape[-2]))


def truths(objects: int, frame: Frame, device: torch.device, stride: int = LOGIT_STRIDE) -> Tensor:
    """The coverage 0..1 of objects of the synthetic X-ray at a stride of frame pixels, (P, h, w).

    They are spread over those that lie in the frame with more than half of their pixels, which are taken again where
    they are too few.
    """
    masks = [torch.from_numpy(each.mask) for each in drawn().objects]
    seen = [inside(mask, frame).float() for mask in masks if 2 * inside(mask, frame).sum() > mask.sum()]
    chosen = [
        seen[index * len(seen) // objects if objects <= len(seen) else index % len(seen)] for index in range(objects)
    ]
    return nn.functional.avg_pool2d(torch.stack(chosen)[:, None], stride)[:, 0].to(device)


def copy_decoder(source: SamHQ, target: SamHQ) -> None:
    """Give a network another's prompt encoder and mask decoder; a wider intermediate output meets zeros."""
    target.prompt_encoder.load_state_dict(source.prompt_encoder.state_dict())
    first = "compress_vit_feat.0.weight"  # (channels of the intermediate output, 256, 2, 2)
    state = source.mask_decoder.state_dict()
    wider = target.mask_decoder.state_dict()[first].shape[0] - state[first].shape[0]
    state[first] = nn.functional.pad(state[first], (0, 0, 0, 0, 0, 0, 0, wider))
    target.mask_decoder.load_state_dict(state)


def weight_bytes(module: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def tensor_bytes(*tensors: Tensor | None) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor is not None)
