"""Sparsely upscaled masks are those of the whole grid, wherever the objects are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

import dentasam
from dentasam.data.phantom import generate
from dentasam.model.adapters.lora import LoraSettings, add_lora
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import DecoderState, Output
from dentasam.model.decoder.sparse_upscaling import SAMPLE, can_upscale_sparsely, token_estimates, upscale_sparsely
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import SamHQ
from dentasam.prompts.correction_clicks import interior_centre

OBJECTS = 6


@dataclass(frozen=True)
class Scene:
    """A phantom as the bundled model sees it, and a first click on some of its objects."""

    model: SamHQ
    embedding: ImageEmbedding
    prompts: Prompts
    state: DecoderState
    exact: Tensor


@pytest.fixture(scope="module")
def scene() -> Scene:
    segmenter = dentasam.load("dentasam-tiny", device="cpu")
    model = segmenter.model
    assert isinstance(model, SamHQ)
    phantom = generate(11, width=512, height=256)
    embedding = segmenter.encode(phantom.image)
    truth = np.stack([item.mask for item in phantom.objects[:OBJECTS]])
    points = interior_centre(truth)[:, None].astype(np.float32)
    prompts = Prompts(
        torch.from_numpy(embedding.frame.points_to_frame(points)), torch.ones(OBJECTS, 1, dtype=torch.long)
    )
    with torch.inference_mode():
        state = model.attend(embedding, prompts)
        exact = model.mask_decoder.masks(state, embedding.hq)
    return Scene(model, embedding, prompts, state, exact)


@torch.inference_mode()
@pytest.mark.parametrize("output", ["sam+hq", "sam"])
def test_sparse_masks_are_those_of_the_whole_grid(scene: Scene, output: Output) -> None:
    exact = scene.model.mask_decoder.masks(scene.state, scene.embedding.hq, output=output)
    masks = upscale_sparsely(scene.model.mask_decoder, scene.state, scene.embedding.hq, None, output)
    assert torch.equal(masks > 0, exact > 0)
    inside = masks > -1
    assert inside.any(dim=2).any(dim=1).all()
    torch.testing.assert_close(masks[inside], exact[inside], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(
    "place",
    [
        (slice(0, 128), slice(0, 256)),  # everything
        (slice(30, 90), slice(4, 250)),  # half the jaw
        (slice(0, 9), slice(0, 7)),  # a corner
        (slice(100, 128), slice(230, 256)),
        (slice(50, 54), slice(3, 253)),  # one token high, and long
        (slice(60, 68), slice(128, 136)),  # a spot
    ],
)
def test_a_mask_that_runs_far_from_its_object_loses_nothing(scene: Scene, place: tuple[slice, slice]) -> None:
    # What an over-segmenting click does: the image's share of all masks is raised there.
    vector = scene.state.hq_vector.mean(dim=0)
    hq = scene.embedding.hq.clone()
    hq[0, :, *place] += 60 * (vector / vector.dot(vector))[:, None, None]
    exact = scene.model.mask_decoder.masks(scene.state, hq)
    over = (exact > 0) & ~(scene.exact > 0)
    assert over.sum(dim=(1, 2)).min() > 10
    masks = upscale_sparsely(scene.model.mask_decoder, scene.state, hq, None)
    assert torch.equal(masks > 0, exact > 0)


@torch.inference_mode()
def test_previous_mask_is_looked_at_even_where_the_estimate_is_low(scene: Scene) -> None:
    masks = upscale_sparsely(scene.model.mask_decoder, scene.state, scene.embedding.hq, None)
    previous = torch.full_like(scene.exact, -5.0)
    previous[:, 120:124, 8:12] = 5.0
    again = upscale_sparsely(scene.model.mask_decoder, scene.state, scene.embedding.hq, previous)
    assert not torch.allclose(masks[:, 116:124, 8:16], scene.exact[:, 116:124, 8:16], atol=1e-4)
    torch.testing.assert_close(again[:, 116:124, 8:16], scene.exact[:, 116:124, 8:16], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_each_object_alone_is_as_in_company(scene: Scene) -> None:
    together = scene.model.decode(scene.embedding, scene.prompts, sparse_upscaling=True)
    few = scene.model.decode(scene.embedding, scene.prompts, sparse_upscaling=True, budget=1)
    torch.testing.assert_close(few.logits, together.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(few.scores, together.scores)
    for index in range(OBJECTS):
        alone = scene.model.decode(scene.embedding, scene.prompts[torch.tensor([index])], sparse_upscaling=True)
        torch.testing.assert_close(alone.logits[0], together.logits[index], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_estimates_of_sams_own_mask_are_its_logits(scene: Scene) -> None:
    exact = scene.model.mask_decoder.masks(scene.state, scene.embedding.hq, output="sam")
    estimates = token_estimates(scene.model.mask_decoder, scene.state, scene.embedding.hq, "sam")
    torch.testing.assert_close(estimates, exact[:, SAMPLE::4, SAMPLE::4], atol=1e-4, rtol=1e-4)


def test_adapters_around_the_convolutions_are_looked_through(scene: Scene) -> None:
    adapted = add_lora(load_model("dentasam-tiny")[0], LoraSettings(scope="decoder")).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for name, parameter in adapted.mask_decoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02, generator=generator)
        assert can_upscale_sparsely(adapted.mask_decoder)
        state = adapted.attend(scene.embedding, scene.prompts)
        exact = adapted.mask_decoder.masks(state, scene.embedding.hq)
        assert not torch.equal(exact > 0, scene.exact > 0)
        masks = upscale_sparsely(adapted.mask_decoder, state, scene.embedding.hq, None)
    assert torch.equal(masks > 0, exact > 0)


def test_adapters_that_are_more_than_a_weight_need_the_whole_grid(scene: Scene) -> None:
    settings = LoraSettings(scope="decoder", dora=True)
    adapted = add_lora(load_model("dentasam-tiny")[0], settings).eval()
    assert can_upscale_sparsely(scene.model.mask_decoder)
    assert not can_upscale_sparsely(adapted.mask_decoder)
    with torch.inference_mode():
        whole = adapted.decode(scene.embedding, scene.prompts)
        asked = adapted.decode(scene.embedding, scene.prompts, sparse_upscaling=True)
    assert torch.equal(whole.logits, asked.logits)
