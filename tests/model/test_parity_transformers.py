"""Our encoder and decoder against transformers' SAM-HQ, corrected as `oracles` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from dentasam.model.checkpoints.key_maps import to_official
from dentasam.model.checkpoints.loading import load_state
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import EncoderOutput, ImageEmbedding
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import SamHQ

from .oracles import DEPTH, GLOBAL_BLOCKS, HEADS, WIDTH, corrected_transformers

FRAME = Frame.of(1024, 1024)


class Pair(NamedTuple):
    """Both models with the same weights, and what both encoders gave for the same pixels."""

    oracle: Any
    ours: SamHQ
    oracle_features: Tensor
    oracle_intermediate: Tensor
    output: EncoderOutput
    embedding: ImageEmbedding


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    pytest.importorskip("transformers")
    oracle = corrected_transformers()
    ours = SamHQ(ImageEncoderViT(WIDTH, DEPTH, HEADS, GLOBAL_BLOCKS), WIDTH).eval()
    load_state(ours, to_official(oracle.state_dict()), "transformers")
    pixels = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        encoded = oracle.vision_encoder(pixels)
        output = ours.encoder_output(pixels, FRAME)
        # Both decoders get the same embedding, so that a decoder test speaks of the decoder.
        same = EncoderOutput(encoded.last_hidden_state, encoded.intermediate_embeddings[0].permute(0, 3, 1, 2))
        yield Pair(
            oracle,
            ours,
            encoded.last_hidden_state,
            encoded.intermediate_embeddings[0],
            output,
            ours.prepare(same, FRAME),
        )


def test_vision_encoder(pair: Pair) -> None:
    torch.testing.assert_close(pair.output.features, pair.oracle_features, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        pair.output.intermediate, pair.oracle_intermediate.permute(0, 3, 1, 2), rtol=1e-5, atol=1e-5
    )


def test_the_unmended_decoder_would_not_pass(pair: Pair) -> None:
    """Guards the oracle: without the correction its masks are far off while its scores agree."""
    decoder = pair.oracle.mask_decoder
    points, labels = torch.tensor([[[300.0, 500.0]]]), torch.tensor([[1]])
    hooks = dict(decoder.upscale_conv1._forward_pre_hooks)
    decoder.upscale_conv1._forward_pre_hooks.clear()
    try:
        masks, scores = oracle_decode(pair, points, labels)
    finally:
        decoder.upscale_conv1._forward_pre_hooks.update(hooks)
    with torch.no_grad():
        ours = pair.ours.decode(pair.embedding, Prompts(points, labels))
    torch.testing.assert_close(ours.scores, scores, rtol=1e-5, atol=1e-5)
    assert (ours.logits - masks).abs().max() > 0.1


CLICKS = torch.tensor([[[300.0, 500.0], [640.5, 222.25]], [[10.0, 1010.0], [700.0, 700.0]]])
LABELS = torch.tensor([[1, 0], [1, 1]])
BOXES = torch.tensor([[100.0, 200.0, 400.0, 640.0], [600.0, 20.5, 1000.0, 333.0]])
NO_CLICKS = torch.zeros(2, 0, 2), torch.zeros(2, 0, dtype=torch.long)


@pytest.mark.parametrize(
    ("points", "labels", "boxes", "multimask", "output"),
    [
        pytest.param(CLICKS, LABELS, None, False, "sam+hq", id="clicks-single"),
        pytest.param(CLICKS[:, :1], LABELS[:, :1], None, True, "sam+hq", id="click-multimask"),
        pytest.param(*NO_CLICKS, BOXES, False, "hq", id="boxes-hq"),
        pytest.param(CLICKS, LABELS, BOXES, True, "hq", id="clicks-boxes-multimask-hq"),
        pytest.param(CLICKS, LABELS, BOXES, False, "sam", id="clicks-boxes-sam"),
    ],
)
def test_masks(
    pair: Pair, points: Tensor, labels: Tensor, boxes: Tensor | None, multimask: bool, output: Output
) -> None:
    masks, scores = oracle_decode(pair, points, labels, boxes, None, multimask, output)
    with torch.no_grad():
        ours = pair.ours.decode(pair.embedding, Prompts(points, labels, boxes), multimask, output)
    assert masks.std() > 0.05
    torch.testing.assert_close(ours.logits, masks, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.scores, scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize("output", ["sam+hq", "hq"])
def test_masks_with_a_mask_prompt(pair: Pair, output: Output) -> None:
    """One object: transformers fails with the previous masks of several."""
    logits = 4 * torch.randn(1, 256, 256, generator=torch.Generator().manual_seed(5))
    masks, scores = oracle_decode(pair, CLICKS[:1], LABELS[:1], None, logits, False, output)
    with torch.no_grad():
        ours = pair.ours.decode(pair.embedding, Prompts(CLICKS[:1], LABELS[:1], logits=logits), output=output)
    torch.testing.assert_close(ours.logits, masks, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.scores, scores, rtol=0, atol=1e-5)


def oracle_decode(
    pair: Pair,
    points: Tensor,
    labels: Tensor,
    boxes: Tensor | None = None,
    logits: Tensor | None = None,
    multimask: bool = False,
    output: Output = "sam+hq",
) -> tuple[Tensor, Tensor]:
    """Masks (P, 256, 256) and scores (P,) by transformers; with `multimask` the best scored of three."""

    def run(hq_only: bool) -> Any:
        with torch.no_grad():
            return pair.oracle(
                image_embeddings=pair.oracle_features,
                intermediate_embeddings=[pair.oracle_intermediate],
                input_points=points[None] if points.shape[1] else None,
                input_labels=labels[None] if points.shape[1] else None,
                input_boxes=None if boxes is None else boxes[None],
                input_masks=None if logits is None else logits[None],
                multimask_output=multimask,
                hq_token_only=hq_only,
            )

    result = run(hq_only=output == "hq")
    masks = result.pred_masks[0, :, 0]
    if output == "sam":
        masks = masks - run(hq_only=True).pred_masks[0, :, 0]
    return masks, result.iou_scores[0, :, 0]


def test_the_best_of_three_masks(pair: Pair) -> None:
    masks, scores = oracle_decode(pair, CLICKS[:, :1], LABELS[:, :1], multimask=True)
    with torch.no_grad():
        ours = pair.ours.decode_choices(pair.embedding, Prompts(CLICKS[:, :1], LABELS[:, :1]))
    best = ours.scores.argmax(dim=1)
    torch.testing.assert_close(ours.logits[torch.arange(2), best], masks, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.scores[torch.arange(2), best], scores, rtol=0, atol=1e-5)
