"""The masks of one iteration of a training step and their losses, for SAM's single mask or for its three.

A first click may mean a part or the whole that it belongs to. In a share of the steps (`multimask_share`) its three
masks are decoded instead of the single one, and an object's loss is that of the mask which is best for it, so that
each mask can specialise (Kirillov et al., 2023, section 3). Three masks that begin alike stay alike for long, so
where it is known which objects are parts, the last mask is for wholes and the others are for parts. The best mask is
fed back, and the single mask goes on.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dentasam.model.decoder.mask_decoder import CHOICES, DecoderState
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.training.step.click_terms import Clicked
from dentasam.training.step.loss import MaskLoss, at_least_single, hard_iou
from dentasam.training.step.step_objects import StepObjects
from dentasam.training.step.step_settings import StepSettings
from dentasam.training.step.windowed_loss import whole_masks


def masks_and_losses(
    model: SamHQ, embedding: ImageEmbedding, objects: StepObjects, index: int, settings: StepSettings
) -> tuple[Tensor, Tensor]:
    """The masks' logits (P, h, w) of iteration `index` without a graph, and each object's loss (P,) with one."""
    state = model.attend(embedding, objects.prompts)
    if index == 0 and objects.multimask:
        return _best_of_three(model, embedding, state, objects, settings)
    masks, losses, terms = _mask(model, embedding, state, objects, index, settings, settings.loss)
    return masks, losses if terms is None else losses + terms


def _best_of_three(
    model: SamHQ, embedding: ImageEmbedding, state: DecoderState, objects: StepObjects, settings: StepSettings
) -> tuple[Tensor, Tensor]:
    """The mask with the least mask loss for each object, and its loss with the mean error of the three scores."""
    masks, losses, terms, errors = [], [], [], []
    mask_loss = replace(settings.loss, iou=0.0)
    for choice in range(CHOICES):
        score = state.choice_scores[:, choice]
        one = replace(state, sam_vector=state.choice_vectors[:, choice], score=score)
        mask, loss, term = _mask(model, embedding, one, objects, 0, settings, mask_loss)
        masks.append(mask)
        losses.append(loss)
        terms.append(loss if term is None else loss + term)
        errors.append((at_least_single(score) - hard_iou(at_least_single(mask), objects.coverage)) ** 2)
    best = torch.stack(losses, dim=1).detach().masked_fill(~_allowed(objects), torch.inf).argmin(dim=1)
    own = torch.arange(len(best), device=best.device)
    error = settings.loss.iou * torch.stack(errors, dim=1).mean(dim=1)
    return torch.stack(masks, dim=1)[own, best], torch.stack(terms, dim=1)[own, best] + error


def _allowed(objects: StepObjects) -> Tensor:
    """Which of the three masks may stand for each object, (P, 3) bool."""
    allowed = torch.ones(len(objects), CHOICES, dtype=torch.bool, device=objects.coverage.device)
    if objects.parts is not None:
        allowed[:, -1] = ~objects.parts
        allowed[:, :-1] = objects.parts[:, None]
    return allowed


def _mask(
    model: SamHQ,
    embedding: ImageEmbedding,
    state: DecoderState,
    objects: StepObjects,
    index: int,
    settings: StepSettings,
    loss: MaskLoss,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The state's masks (P, h, w) without a graph; with one their losses (P,) and, where they count, click terms."""
    windows, terms = objects.windows, settings.click_terms
    clicked = Clicked.of(objects.prompts, objects.truth, embedding.frame) if terms else None
    if windows is None:
        masks = model.mask_decoder.masks(state, embedding.hq)
        losses = loss(MaskPrediction(masks, state.score), objects.coverage)
        added = None if clicked is None else terms(at_least_single(masks), objects.coverage, clicked)
        return masks.detach(), losses, added
    masks = whole_masks(model, embedding, state, objects.prompts.logits)
    losses = windows.losses(model, embedding, state, at_least_single(masks), loss, objects.elsewhere[index])
    return masks, losses, None if clicked is None else windows.click_losses(model, embedding, state, terms, clicked)
