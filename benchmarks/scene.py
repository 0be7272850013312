"""The work all benchmarks share: a panoramic twice as wide as high, teeth on it, and networks to run."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dentasam.data.phantom import generate
from dentasam.model.checkpoint import load_model
from dentasam.model.embedding import EncoderOutput
from dentasam.model.frame import LOGIT_STRIDE, Frame
from dentasam.model.prompt import Prompts
from dentasam.model.registry import BUNDLED
from dentasam.model.sam_hq import Kind, SamHQ, build_sam_hq
from dentasam.model.vit import ImageEncoderViT
from dentasam.prompts.clicks import correction_clicks, interior_centre

from .peers import published_decoder

OWN = Frame.of(512, 1024)
SMALL = "small"  # a plain ViT of next to no work, for `--quick` and the tests
DEFAULT = "vit_b"


def network(model: str, device: torch.device) -> SamHQ:
    """A network of an official size with random weights (`vit_b`, …), `small`, or a model's name or checkpoint."""
    if model == SMALL:
        found = random_tables(SamHQ(ImageEncoderViT(160, 2, 4, (1,)), 160))
    elif model in get_args(Kind):
        found = random_tables(build_sam_hq(model))  # type: ignore[arg-type]
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
    """Pixels (1, 3, 16 rows, 16 cols) of the panoramic on its own grid or padded with zeros."""
    drawn = torch.randn(1, 3, *OWN.padded, generator=torch.Generator().manual_seed(1))
    height, width = frame.padded
    drawn = drawn[..., :height, :width]
    return nn.functional.pad(drawn, (0, width - drawn.shape[3], 0, height - drawn.shape[2])).to(device)


def teeth(objects: int, height: int, width: int) -> np.ndarray:
    """Ellipses in two rows, (P, height, width) bool, as large as the teeth of a panoramic."""
    masks = np.zeros((objects, height, width), np.uint8)
    upper = -(-objects // 2)
    for index, mask in enumerate(masks):
        row, place, count = (0, index, upper) if index < upper else (1, index - upper, objects - upper)
        x = width * (0.1 + 0.8 * (place + 0.5) / count)
        y = height * (0.36 if row == 0 else 0.6)
        axes = max(2, round(width * min(0.018, 0.36 / count))), max(2, round(height * 0.095))
        cv2.ellipse(mask, (round(x), round(y)), axes, 4 * (place % 5) - 8, 0, 360, 1, -1)
    return masks.astype(bool)


def coverage(objects: int, frame: Frame, device: torch.device, stride: int = LOGIT_STRIDE) -> Tensor:
    """The teeth as coverage 0..1 at a stride of frame pixels, (P, h, w); below a padded frame's image nothing."""
    height, width = (min(length, own) for length, own in zip(frame.padded, OWN.padded, strict=True))
    masks = np.zeros((objects, *frame.padded), np.float32)
    masks[:, :height, :width] = teeth(objects, height, width)
    return nn.functional.avg_pool2d(torch.from_numpy(masks)[:, None], stride)[:, 0].to(device)


class Decoding(NamedTuple):
    """What a decoder is asked: the encoder's output for a synthetic X-ray and prompts of its objects."""

    network: SamHQ
    output: EncoderOutput
    frame: Frame
    prompts: Prompts


@torch.inference_mode()
def decoding(device: torch.device, model: str, objects: int, previous: bool, square: bool) -> Decoding:
    """Objects of a synthetic X-ray with a click each; with `previous` with a correction click and their last mask.

    A network of random weights finds masks that cover half the image, which is no decoder's daily work. So it is lent
    the bundled model's decoder and features, as far as that one's are wide; the work to do is that of its own size.
    """
    drawn = generate(3)
    network_, frame = network(model, device), Frame.of(*drawn.image.shape)
    frame = squared(frame) if square else frame
    encoder = network_
    if model == SMALL or model in get_args(Kind):
        encoder = network(BUNDLED, device)
        lend_decoder(encoder, network_)
    image = Frame.of(*drawn.image.shape).pixels(drawn.image)
    below, beside = (padded - length for padded, length in zip(frame.padded, image.shape[2:], strict=True))
    output = encoder.encoder_output(nn.functional.pad(image, (0, beside, 0, below)).to(device), frame)
    wider = network_.mask_decoder.compress_vit_feat[0].weight.shape[0] - output.intermediate.shape[1]
    output = EncoderOutput(output.features, nn.functional.pad(output.intermediate, (0, 0, 0, 0, 0, wider)))

    masks = [each.mask for each in drawn.objects if each.mask.any()]
    truth = np.zeros((objects, *frame.logits), bool)
    for index in range(objects):
        at = masks[index * len(masks) // objects if objects <= len(masks) else index % len(masks)]
        small = nn.functional.avg_pool2d(torch.from_numpy(at).float()[None], LOGIT_STRIDE)[0] >= 0.5
        truth[index, : small.shape[0], : small.shape[1]] = small.numpy()
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


def lend_decoder(lender: SamHQ, borrower: SamHQ) -> None:
    """Give a network another's prompt encoder and mask decoder; a wider intermediate output meets zeros."""
    borrower.prompt_encoder.load_state_dict(lender.prompt_encoder.state_dict())
    first = "compress_vit_feat.0.weight"  # (channels of the intermediate output, 256, 2, 2)
    state = lender.mask_decoder.state_dict()
    wider = borrower.mask_decoder.state_dict()[first].shape[0] - state[first].shape[0]
    state[first] = nn.functional.pad(state[first], (0, 0, 0, 0, 0, 0, 0, wider))
    borrower.mask_decoder.load_state_dict(state)


def weight_bytes(module: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def tensor_bytes(*tensors: Tensor | None) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor is not None)
