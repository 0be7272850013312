"""How much memory one object of a training step takes, to know how many fit into the decoder's memory limit.

What a click keeps for its backward pass, and what that pass adds at its peak, was counted operator by operator on a
CPU (every storage that an operator makes, until it is freed), with adapters in the decoder, for 3 and 6 objects on
two grids, with 1 and 9 clicks. It grows about linearly with the number of objects. In
floating-point numbers, each object takes:

    for each token of the image     2320, and 40 for each click, in the transformer
                                    6190 in the masks and the loss, where they have a graph
                                    3530 in the masks without a graph, before the graph of the windows is made;
                                    less on a CPU, where most of a mask is only estimated
    for each token of the pieces    6190, where the loss has terms of the clicks and the windows' graph
    for each token of the object    27,700 (7 tokens, and one for each click)

`tests/training/step/test_object_memory.py` counts again. Nothing here is measured on a GPU.
"""

from __future__ import annotations

import torch

from dentasam.model.core.frame import Frame
from dentasam.training.step.click_terms import ClickTerms
from dentasam.training.step.windowed_loss import LossWindows, click_piece_tokens

# Numbers for each token of the image.
_TRANSFORMER, _TRANSFORMER_PER_CLICK, _MASKS_WITH_GRAPH, _MASKS_WITHOUT_GRAPH = 2320, 40, 6190, 3530
# Numbers for each token of the object, and how many tokens it has without its clicks.
_OBJECT_TOKEN, _OBJECT_TOKENS = 27_700, 7


def trained_object_bytes(
    frame: Frame,
    windows: LossWindows | None,
    clicks: int,
    dtype: torch.dtype,
    terms: ClickTerms,
    masks_at_once: int = 1,
) -> int:
    """About what each further object adds to the peak memory of a click's backward pass.

    clicks: the most that an object gets. dtype: of the decoder's arithmetic. Norms, softmax and loss stay in single
    precision, so that half precision saves three eighths. terms: those of the loss that follow the clicks.
    masks_at_once: 3 where the first click gets SAM's three masks.
    """
    masks: float = masks_at_once * _MASKS_WITH_GRAPH
    if windows is not None:
        share = windows.share + click_piece_tokens(terms, clicks) / (frame.rows * frame.cols)
        masks = max(_MASKS_WITHOUT_GRAPH, masks_at_once * share * _MASKS_WITH_GRAPH)
    numbers = frame.rows * frame.cols * (_TRANSFORMER + _TRANSFORMER_PER_CLICK * clicks + masks)
    numbers += _OBJECT_TOKEN * (_OBJECT_TOKENS + clicks)
    return int(numbers * (2.5 if dtype.itemsize == 2 else dtype.itemsize))
