"""How unsure the model is of a case, before anybody has worked on it: for sorting the worklist."""

from __future__ import annotations

import numpy as np
import torch

from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network

# The teeth lie in the middle of a panoramic; jaw edge, spine and film border would say nothing of them.
COLUMNS, ROWS = 8, 2
LEFT, RIGHT, TOP, BOTTOM = 0.2, 0.8, 0.4, 0.65


def probe_clicks(height: int, width: int) -> np.ndarray:
    """The fixed grid of clicks in an image's central band, (16, 2) float32 x, y in image pixels."""
    across = np.linspace(LEFT, RIGHT, COLUMNS) * (width - 1)
    down = np.linspace(TOP, BOTTOM, ROWS) * (height - 1)
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2).astype(np.float32)


@torch.inference_mode()
def uncertainty(model: Network, embedding: ImageEmbedding) -> float:
    """The mean of 1 - predicted IoU over the probe clicks, 0 sure … 1 unsure."""
    frame = embedding.frame
    clicks = frame.points_to_frame(probe_clicks(frame.height, frame.width))[:, None]
    prompts = Prompts(torch.from_numpy(clicks), torch.ones(clicks.shape[:2], dtype=torch.long)).to(model.device)
    embedding = embedding.to(model.device, model.dtype)
    scores = model.scores(embedding, prompts)
    return float((1 - scores.float().clamp(0, 1)).mean())
