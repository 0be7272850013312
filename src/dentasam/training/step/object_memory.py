"""How much memory one object of a training step takes, so that as many go through the decoder as a budget holds.

What a click keeps for its backward, and what that backward adds at its peak, was counted operator by operator on a
CPU (every storage an operator makes until it is freed), with adapters in the decoder, for 3 and 6 objects on two
grids, with 1 and 9 clicks. What each further object adds is close to linear; in numbers of the arithmetic:

    for each token of the image     2320, and 40 a click, of the transformer
                                    6190 of the masks and the objective where they have a graph
                                    3530 of the masks without a graph, before the crops' graph is there;
                                    less on a CPU, where most are found sparsely
    for each token of the object    27,700 (7 tokens, and one a click)

`tests/training/test_object_memory.py` counts again. Nothing here is measured on a GPU.
"""

from __future__ import annotations

import torch

from dentasam.model.core.frame import Frame
from dentasam.training.step.object_crops import ObjectCrops

_ATTENDED, _ATTENDED_CLICK, _MASKS, _FED_BACK = 2320, 40, 6190, 3530
_OWN_TOKEN, _OWN_TOKENS = 27_700, 7


def trained_object_bytes(frame: Frame, crops: ObjectCrops | None, clicks: int, dtype: torch.dtype) -> int:
    """About what each further object adds to the peak of a click's backward.

    clicks: the most an object gets. dtype: of the decoder's arithmetic; norms, softmax and objective stay in single
    precision, so that half of it saves three eighths.
    """
    masks = _MASKS if crops is None else max(_FED_BACK, crops.share * _MASKS)
    numbers = frame.rows * frame.cols * (_ATTENDED + _ATTENDED_CLICK * clicks + masks)
    numbers += _OWN_TOKEN * (_OWN_TOKENS + clicks)
    return int(numbers * (2.5 if dtype.itemsize == 2 else dtype.itemsize))
