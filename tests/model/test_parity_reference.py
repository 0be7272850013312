"""Our model against the package of SAM-HQ's authors, behind import stubs: from pixels to masks."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from dentasam.model.checkpoints.key_maps import to_official
from dentasam.model.checkpoints.loading import load_state
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import SamHQ, build_sam_hq

from .oracles import DEPTH, GLOBAL_BLOCKS, HEADS, WIDTH, reference_package, reference_tiny, reference_vit

CLICKS = torch.tensor([[[300.0, 500.0], [640.5, 222.25]], [[10.0, 1010.0], [700.0, 700.0]]])
LABELS = torch.tensor([[1, 0], [1, 1]])
BOXES = torch.tensor([[100.0, 200.0, 400.0, 640.0], [600.0, 20.5, 1000.0, 333.0]])
NO_CLICKS = torch.zeros(2, 0, 2), torch.zeros(2, 0, dtype=torch.long)


class Pair(NamedTuple):
    """Both models with the same weights, and what each made of the same square image."""

    reference: Any
    ours: SamHQ
    image: np.ndarray
    reference_features: Tensor
    reference_intermediate: Tensor
    embedding: ImageEmbedding
    intermediate: Tensor


@pytest.fixture(scope="module")
def package() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield reference_package(monkeypatch)


@pytest.fixture(scope="module", params=["vit_b", "vit_tiny"])
def pair(request: pytest.FixtureRequest, package: ModuleType) -> Pair:
    if request.param == "vit_tiny":
        reference, ours = reference_tiny(package), build_sam_hq("vit_tiny")
    else:
        reference = reference_vit(package)
        ours = SamHQ(ImageEncoderViT(WIDTH, DEPTH, HEADS, GLOBAL_BLOCKS), WIDTH)
    load_state(ours, to_official(reference.state_dict()), "the reference")
    ours.eval()
    image = np.random.default_rng(0).integers(0, 256, (1024, 1024), dtype=np.uint8)
    frame = Frame.of(1024, 1024)
    with torch.no_grad():
        pixels = reference.preprocess(torch.from_numpy(image).expand(3, -1, -1).float())[None]
        features, intermediates = reference.image_encoder(pixels)
        output = ours.encoder_output(frame.pixels(image), frame)
        embedding = ours.prepare(output, frame)
    return Pair(reference, ours, image, features, intermediates[0], embedding, output.intermediate)


def test_a_square_image_encodes_as_in_the_padded_reference(pair: Pair) -> None:
    intermediate = pair.reference_intermediate.permute(0, 3, 1, 2)
    torch.testing.assert_close(pair.embedding.features, pair.reference_features, rtol=1e-5, atol=2e-5)
    # The scale of the intermediate map differs between the encoders by orders of magnitude.
    scale = float(intermediate.abs().max())
    torch.testing.assert_close(pair.intermediate, intermediate, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize(
    ("points", "labels", "boxes", "fed_back", "multimask", "output"),
    [
        pytest.param(CLICKS, LABELS, None, False, False, "sam+hq", id="clicks-single"),
        pytest.param(CLICKS[:, :1], LABELS[:, :1], None, False, True, "sam+hq", id="click-multimask"),
        pytest.param(*NO_CLICKS, BOXES, False, False, "hq", id="boxes-hq"),
        pytest.param(CLICKS, LABELS, BOXES, True, True, "hq", id="clicks-boxes-masks-multimask-hq"),
        pytest.param(CLICKS, LABELS, None, True, False, "sam", id="clicks-masks-sam"),
    ],
)
def test_masks(
    pair: Pair,
    points: Tensor,
    labels: Tensor,
    boxes: Tensor | None,
    fed_back: bool,
    multimask: bool,
    output: Output,
) -> None:
    logits = 4 * torch.randn(2, 256, 256, generator=torch.Generator().manual_seed(5)) if fed_back else None
    masks, scores = reference_decode(pair, points, labels, boxes, logits, multimask, output)
    with torch.no_grad():
        ours = pair.ours.decode(pair.embedding, Prompts(points, labels, boxes, logits), multimask, output)
    assert masks.std() > 0.05
    torch.testing.assert_close(ours.logits, masks, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.scores, scores, rtol=0, atol=1e-5)


def test_masks_at_the_size_of_the_image(pair: Pair) -> None:
    """A square image of 640 pixels: SAM's two bilinear steps."""
    logits = torch.randn(2, 256, 256, generator=torch.Generator().manual_seed(6))
    expected = pair.reference.postprocess_masks(logits[:, None], (1024, 1024), (640, 640))[:, 0]
    torch.testing.assert_close(Frame.of(640, 640).logits_to_image(logits), expected)


def reference_decode(
    pair: Pair,
    points: Tensor,
    labels: Tensor,
    boxes: Tensor | None,
    logits: Tensor | None,
    multimask: bool,
    output: Output,
) -> tuple[Tensor, Tensor]:
    """Masks (P, 256, 256) and scores (P,) by the reference."""
    encoder = pair.reference.prompt_encoder

    def run(hq_only: bool) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            sparse, dense = encoder(
                points=(points, labels) if points.shape[1] else None,
                boxes=boxes,
                masks=None if logits is None else logits[:, None],
            )
            return pair.reference.mask_decoder(
                image_embeddings=pair.reference_features,
                image_pe=encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=multimask,
                hq_token_only=hq_only,
                interm_embeddings=pair.reference_intermediate[None],
            )

    masks, scores = run(hq_only=output == "hq")
    if output == "sam":
        masks = masks - run(hq_only=True)[0]
    return masks[:, 0], scores[:, 0]


def test_the_three_masks_of_an_ambiguous_click(pair: Pair) -> None:
    """The reference returns the best scored alone: here each of the three is, in turn."""
    with torch.no_grad():
        ours = pair.ours.decode_choices(pair.embedding, Prompts(CLICKS, LABELS, BOXES))
    bias = pair.reference.mask_decoder.iou_prediction_head.layers[-1].bias
    for index in range(3):
        with torch.no_grad():
            bias[1 + index] += 100
        try:
            masks, scores = reference_decode(pair, CLICKS, LABELS, BOXES, None, True, "sam+hq")
        finally:
            with torch.no_grad():
                bias[1 + index] -= 100
        torch.testing.assert_close(ours.logits[:, index], masks, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours.scores[:, index], scores - 100, rtol=0, atol=2e-5)
    assert (ours.logits[:, 0] - ours.logits[:, 1]).abs().max() > 0.05
