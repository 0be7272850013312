"""Other ways to make a mask obey its clicks, against which the local repair is measured.

- `geodesic`: the same bump, on distances that grow where gray values change, so that it stops at edges.
- `mask_vector`: f-BRS (Sofiiuk et al., https://arxiv.org/abs/2001.10331) on the vector of SAM's mask. The logits are
  linear in it, so the least change that obeys all clicks is a quadratic programme, solved here by Hildreth's method.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.model.windows import local_repair
from dentasam.model.windows.window import Window
from dentasam.model.windows.windowed_image import WindowedImage

# Logits around a click that a geodesic bump may change, and the gray step that counts as much as one logit.
REACH = 9
GRAY_STEP = 8.0
SWEEPS = 200


@contextmanager
def geodesic() -> Iterator[None]:
    """Repairs with geodesic bumps while the context lasts."""
    answer = WindowedImage._answer
    gray: np.ndarray = np.zeros((1, 1), np.float32)

    def answer_with_gray(image: WindowedImage, prompt: Any, window: Window | None, *rest: Any) -> Any:
        nonlocal gray
        if window is not None:
            rows, cols = window.logits
            cut = image._encoder._gray_of(window).numpy()
            gray = cv2.resize(cut, (cols, rows), interpolation=cv2.INTER_AREA)
        return answer(image, prompt, window, *rest)

    def bumped(logits: np.ndarray, x: float, y: float, side: float, obeyed: list[tuple[float, float, float]]) -> Any:
        if gray.shape != logits.shape:
            return plain(logits, x, y, side, obeyed)
        bump = np.exp(-(_geodesic_distance(gray, x, y) ** 2) / (2 * local_repair.WIDTHS[0] ** 2)).astype(np.float32)
        needed = local_repair.MARGIN_LOGIT - side * local_repair.value_at(logits, x, y)
        changed = logits + np.float32(side * needed / max(local_repair.value_at(bump, x, y), 0.2)) * bump
        if side * local_repair.value_at(changed, x, y) > 0 and all(
            before * local_repair.value_at(changed, u, v) > 0 for u, v, before in obeyed if before != side
        ):
            return changed
        return plain(logits, x, y, side, obeyed)

    plain = local_repair._with_bump
    with patch.object(WindowedImage, "_answer", answer_with_gray), patch.object(local_repair, "_with_bump", bumped):
        yield


@contextmanager
def mask_vector() -> Iterator[None]:
    """Windows are decoded with the least change of the mask's vector that obeys all clicks; bumps do what is left."""

    def decode_group(
        network: SamHQ, embedding: Any, prompts: Any, multimask: bool, output: Any, sparse: bool
    ) -> MaskPrediction:
        if prompts.image is None:
            return plain(network, embedding, prompts, multimask, output, sparse)
        state = network.attend(embedding, prompts, multimask)
        upscaled = network.mask_decoder.output_upscaling(state.source)
        masks = network.mask_decoder.masks(state, embedding.hq, output=output)
        origin = torch.tensor(embedding.frame.origin)
        at = (prompts.points - origin + 0.5) / 4 - 0.5  # (P, k, 2) in logits
        rows = [
            _obeying(mask, features, points[labels >= 0], labels[labels >= 0])
            for mask, features, points, labels in zip(masks, upscaled, at, prompts.labels, strict=True)
        ]
        return MaskPrediction(torch.stack(rows), state.score)

    plain = SamHQ._decode_group
    with patch.object(SamHQ, "_decode_group", decode_group):
        yield


def _obeying(mask: Tensor, features: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """A mask's logits (h, w) after the least change of its vector.

    features: (32, h, w). points: (k, 2) in logits. labels: (k,).
    """
    height, width = mask.shape
    place = ((points + 0.5) / torch.tensor([width, height]) * 2 - 1)[None, None]
    sampled = F.grid_sample(torch.cat([features, mask[None]])[None], place, align_corners=False)[0, :, 0].T
    sides = labels.float() * 2 - 1
    values = sides * sampled[:, -1]
    if bool((values >= local_repair.LEAST_LOGIT).all()):
        return mask
    rows = sampled[:, :-1] * sides[:, None]
    wanted = torch.full_like(values, local_repair.LEAST_LOGIT) - values
    gram = rows @ rows.T + 1e-4 * torch.eye(len(rows))
    weights = torch.zeros(len(rows))
    for _ in range(SWEEPS):
        for row in range(len(rows)):
            step = (wanted[row] - gram[row] @ weights) / gram[row, row]
            weights[row] = (weights[row] + step).clamp(min=0)
    return mask + torch.einsum("c,chw->hw", rows.T @ weights, features)


def _geodesic_distance(gray: np.ndarray, x: float, y: float) -> np.ndarray:
    """Distance (h, w) of every logit from a point, in logits; a gray step lengthens the way. Far beyond REACH."""
    height, width = gray.shape
    column, row = int(np.clip(round(x), 0, width - 1)), int(np.clip(round(y), 0, height - 1))
    x0, x1 = max(0, column - REACH), min(width, column + REACH + 1)
    y0, y1 = max(0, row - REACH), min(height, row + REACH + 1)
    part = gray[y0:y1, x0:x1]
    index = np.arange(part.size).reshape(part.shape)
    starts, ends, lengths = [], [], []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = index[: part.shape[0] - down, max(0, -across) : part.shape[1] - max(0, across)].ravel()
        other = index[down:, max(0, across) : part.shape[1] + min(0, across)].ravel()
        steps = np.abs(part.flat[one] - part.flat[other]) / GRAY_STEP
        starts.append(one)
        ends.append(other)
        lengths.append(np.hypot(down, across) * (1 + steps))
    edges = np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends))
    graph = coo_matrix(edges, shape=(part.size, part.size)).tocsr()
    distance = np.full(gray.shape, 1e6)
    distance[y0:y1, x0:x1] = dijkstra(graph, directed=False, indices=index[row - y0, column - x0]).reshape(part.shape)
    return distance
