"""All objects of an image in one decode give what each gives alone, whatever their prompts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import MaskPrediction, SamHQ

from ..oracles import draw_weights

FRAME = Frame(height=128, width=256, scale=1.0, rows=8, cols=16)
NAN = float("nan")
IMAGES = 2


@pytest.fixture(scope="module")
def model() -> SamHQ:
    built = SamHQ(ImageEncoderViT(16, 1, 1, (0,)), 16)
    draw_weights(built, seed=0)
    return built.eval()


@pytest.fixture(scope="module")
def embedding() -> ImageEmbedding:
    generator = torch.Generator().manual_seed(1)
    return ImageEmbedding(
        torch.randn(IMAGES, 256, 8, 16, generator=generator),
        torch.randn(IMAGES, 32, 32, 64, generator=generator),
        FRAME,
    )


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    """Six objects: 1, 3, 0, 2, 1, 2 clicks at scattered places of the list; some with a box or a mask."""
    generator = torch.Generator().manual_seed(2)
    labels = torch.tensor([[1, -1, -1], [1, 0, 1], [-1, -1, -1], [-1, 0, 1], [-1, -1, 0], [1, -1, 0]])
    points = torch.rand(6, 3, 2, generator=generator) * torch.tensor([256.0, 128.0])
    points[labels < 0] = NAN  # an absent click's place must not be looked at
    boxes = torch.full((6, 4), NAN)
    boxes[2] = torch.tensor([10.0, 20.0, 90.0, 100.0])
    boxes[3] = torch.tensor([100.0, 0.0, 255.0, 64.0])
    logits = torch.full((6, 32, 64), NAN)
    logits[[1, 3, 4]] = 4 * torch.randn(3, 32, 64, generator=generator)
    return Prompts(points, labels, boxes, logits)


def alone(prompts: Prompts, index: int) -> Prompts:
    """One object's prompts with nothing absent in them."""
    present = prompts.labels[index] >= 0
    assert prompts.boxes is not None
    assert prompts.logits is not None
    box, logits = prompts.boxes[index], prompts.logits[index]
    return Prompts(
        prompts.points[index, present][None],
        prompts.labels[index, present][None],
        None if box.isnan().any() else box[None],
        None if logits.isnan().any() else logits[None],
    )


def decode_alone(
    model: SamHQ, embedding: ImageEmbedding, prompts: Prompts, index: int, multimask: bool, output: Output
) -> MaskPrediction:
    image = 0 if prompts.image is None else int(prompts.image[index])
    one = replace(embedding, features=embedding.features[image : image + 1], hq=embedding.hq[image : image + 1])
    return model.decode(one, alone(prompts, index), multimask, output)


@pytest.mark.parametrize(
    ("multimask", "output"),
    [(False, "sam+hq"), (True, "sam+hq"), (False, "hq"), (True, "sam")],
)
@pytest.mark.parametrize("images", [1, 2])
def test_objects_together_equal_objects_alone(
    model: SamHQ,
    embedding: ImageEmbedding,
    prompts: Prompts,
    multimask: bool,
    output: Output,
    images: int,
) -> None:
    if images == 1:
        embedding = replace(embedding, features=embedding.features[:1], hq=embedding.hq[:1])
    else:
        prompts = replace(prompts, image=torch.tensor([0, 1, 1, 0, 0, 1]))
    with torch.no_grad():
        together = model.decode(embedding, prompts, multimask, output)
        assert together.logits.shape == (6, 32, 64)
        assert together.scores.shape == (6,)
        assert together.logits.std() > 0.01
        for index in range(6):
            one = decode_alone(model, embedding, prompts, index, multimask, output)
            torch.testing.assert_close(together.logits[index], one.logits[0], rtol=0, atol=1e-5)
            torch.testing.assert_close(together.scores[index], one.scores[0], rtol=0, atol=1e-5)


def test_projections_made_ahead_change_nothing(model: SamHQ, embedding: ImageEmbedding, prompts: Prompts) -> None:
    """Those of an image are made once for all clicks and chunks; several images go without."""
    one = replace(embedding, features=embedding.features[:1], hq=embedding.hq[:1])
    ready = model.with_projections(one)
    assert ready.shared is not None
    assert model.with_projections(ready) is ready
    assert model.with_projections(embedding).shared is None
    with torch.no_grad():
        plain = model.decode(one, prompts[torch.tensor([0])])
        for image in (ready, ready.to(dtype=torch.float64).to(dtype=torch.float32)):
            ahead = model.decode(image, prompts[torch.tensor([0])])
            torch.testing.assert_close(ahead.logits, plain.logits, rtol=0, atol=1e-5)
        whole, chunked = (model.decode(image, prompts, budget=1) for image in (ready, one))
        torch.testing.assert_close(whole.logits, chunked.logits, rtol=0, atol=1e-5)
    assert ready.half().shared is None
    assert ready.leaf().shared is None


def test_the_objects_differ(model: SamHQ, embedding: ImageEmbedding, prompts: Prompts) -> None:
    """Guards the test above: a decoder deaf to its prompts would pass it."""
    embedding = replace(embedding, features=embedding.features[:1], hq=embedding.hq[:1])
    with torch.no_grad():
        logits = model.decode(embedding, prompts).logits
    distance = torch.cdist(logits.flatten(1), logits.flatten(1), p=float("inf"))
    assert (distance + torch.eye(6) > 1e-3).all()


def test_no_objects(model: SamHQ, embedding: ImageEmbedding) -> None:
    embedding = replace(embedding, features=embedding.features[:1], hq=embedding.hq[:1])
    nothing = Prompts(torch.zeros(0, 1, 2), torch.zeros(0, 1, dtype=torch.long))
    prediction = model.decode(embedding, nothing)
    assert prediction.logits.shape == (0, 32, 64)
    assert prediction.scores.shape == (0,)


def test_gradients_together_equal_gradients_alone(model: SamHQ, embedding: ImageEmbedding, prompts: Prompts) -> None:
    """The training step's leaf collects what the objects would have collected one by one."""
    features, hq = (part[:1].clone().requires_grad_() for part in (embedding.features, embedding.hq))
    embedding = replace(embedding, features=features, hq=hq)
    weights = torch.randn(6, 32, 64, generator=torch.Generator().manual_seed(3))
    together = embedding.leaf()
    (model.decode(together, prompts).logits * weights).sum().backward()
    one_by_one = embedding.leaf()
    for index in range(6):
        prediction = model.decode(one_by_one, alone(prompts, index))
        (prediction.logits[0] * weights[index]).sum().backward()
    for ours, expected in ((together.features, one_by_one.features), (together.hq, one_by_one.hq)):
        assert ours.grad is not None
        assert expected.grad is not None
        assert expected.grad.abs().max() > 0
        torch.testing.assert_close(ours.grad, expected.grad, rtol=1e-4, atol=1e-5)
    model.zero_grad()


@pytest.mark.parametrize("images", [1, 2])
def test_the_three_masks_of_objects_together_equal_those_alone(
    model: SamHQ, embedding: ImageEmbedding, prompts: Prompts, images: int
) -> None:
    """And the best scored of them is what `multimask` chooses."""
    if images == 1:
        embedding = replace(embedding, features=embedding.features[:1], hq=embedding.hq[:1])
    else:
        prompts = replace(prompts, image=torch.tensor([0, 1, 1, 0, 0, 1]))
    with torch.no_grad():
        together = model.decode_choices(embedding, prompts)
        chunked = model.decode_choices(embedding, prompts, budget=1)
        assert together.logits.shape == (6, 3, 32, 64)
        torch.testing.assert_close(chunked.logits, together.logits, rtol=0, atol=1e-5)
        best = together.scores.argmax(dim=1)
        assert len(set(best.tolist())) > 1 or (together.logits.diff(dim=1).abs().amax((2, 3)) > 0.01).all()
        for index in range(6):
            one = decode_alone(model, embedding, prompts, index, True, "sam+hq")
            torch.testing.assert_close(together.logits[index, best[index]], one.logits[0], rtol=0, atol=1e-5)
            torch.testing.assert_close(together.scores[index, best[index]], one.scores[0], rtol=0, atol=1e-5)
        none = model.decode_choices(embedding, prompts[torch.zeros(6, dtype=torch.bool)])
        assert (none.logits.shape, none.scores.shape) == ((0, 3, 32, 64), (0, 3))


def test_the_unused_masks_get_no_gradient(model: SamHQ, embedding: ImageEmbedding, prompts: Prompts) -> None:
    """Not zeros either, at which weight decay would shrink the heads of masks that are not trained."""
    one = replace(embedding, features=embedding.features[:1], hq=embedding.hq[:1])
    model.decode(one, prompts[torch.tensor([0])]).logits.sum().backward()
    single, *others = model.mask_decoder.output_hypernetworks_mlps
    assert all(parameter.grad is not None for parameter in single.parameters())
    assert all(parameter.grad is None for other in others for parameter in other.parameters())
    model.zero_grad()
