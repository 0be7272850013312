"""The estimate of an object's memory against what a click's backward is counted to hold."""

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dentasam.model.adapters.lora import LoraSettings, add_lora
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import MaskPrediction, SamHQ, build_sam_hq
from dentasam.training.step.click_terms import Clicked, ClickTerms
from dentasam.training.step.loss import MaskLoss, at_least_single
from dentasam.training.step.object_memory import trained_object_bytes
from dentasam.training.step.windowed_loss import LossWindows, whole_masks

FRAME = Frame(192, 256, 1.0, 12, 16)


class Living(TorchDispatchMode):
    """Counts the bytes of all storages that operators make and that are still alive; `peak` is the most at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self.sizes:
                    self.sizes[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self.sizes.pop, storage._cdata, None)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return result


def coverage(objects: int) -> torch.Tensor:
    masks = torch.zeros(objects, *FRAME.logits)
    masks[:, 20:26, 30:33] = 1
    return masks


def peak(model: SamHQ, objects: int, clicks: int, windows: bool, dtype: torch.dtype, terms: ClickTerms) -> int:
    """Of one click, forward and backward, with a fed-back mask."""
    features, hq = torch.randn(1, 256, 12, 16, requires_grad=True), torch.randn(1, 32, 48, 64, requires_grad=True)
    leaf = ImageEmbedding(features, hq, FRAME).leaf()
    masks = coverage(objects)
    prompts = Prompts(
        torch.rand(objects, clicks, 2) * 100,
        torch.ones(objects, clicks, dtype=torch.long),
        logits=torch.randn(objects, *FRAME.logits),
    )
    placed = LossWindows.around(masks, FRAME) if windows else None
    clicked = Clicked.of(prompts, masks > 0.5, FRAME)
    with Living() as living, torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        state = model.attend(leaf, prompts)
        if placed is None:
            logits = model.mask_decoder.masks(state, leaf.hq)
            each = MaskLoss()(MaskPrediction(logits, state.score), masks)
            if terms:
                each = each + terms(at_least_single(logits), masks, clicked)
        else:
            whole = at_least_single(whole_masks(model, leaf, state, prompts.logits))
            draws = torch.full((2, objects), 0.3, dtype=torch.float64)
            each = placed.losses(model, leaf, state, whole, MaskLoss(), draws)
            if terms:
                each = each + placed.click_losses(model, leaf, state, terms, clicked)
        each.sum().backward()
    model.zero_grad()
    return living.peak


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return add_lora(build_sam_hq("vit_tiny").train(), LoraSettings("decoder"))


@pytest.mark.parametrize("terms", [ClickTerms(), ClickTerms(1.0, 0.5)])
@pytest.mark.parametrize(
    ("clicks", "windows", "dtype"),
    [
        (1, False, torch.float32),
        (9, False, torch.float32),
        (9, True, torch.float32),
        (9, False, torch.bfloat16),
        (9, True, torch.bfloat16),
    ],
)
def test_estimate_is_near_what_is_counted(
    model: SamHQ, clicks: int, windows: bool, dtype: torch.dtype, terms: ClickTerms
) -> None:
    six, three = (peak(model, objects, clicks, windows, dtype, terms) for objects in (6, 3))
    counted = (six - three) / 3
    placed = LossWindows.around(coverage(1), FRAME) if windows else None
    estimate = trained_object_bytes(FRAME, placed, clicks, dtype, terms)
    assert 0.95 * counted < estimate < 1.3 * counted, estimate / counted
