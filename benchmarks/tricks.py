"""What the decoder does to be fast and cannot be asked to leave out, each with a way to take it out for a benchmark.

A new trick is one more entry of TRICKS: its name and a function that takes it out of a network in the process of the
side that runs without it. What `decode` has an option for needs none; it stands in `decode.alone`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dentasam.model.decoder import mask_decoder
from dentasam.model.decoder.cross_attention import Attention
from dentasam.model.decoder.transformer import TwoWayAttentionBlock
from dentasam.model.sam_hq import SamHQ


def _unfolded(_model: SamHQ) -> None:
    mask_decoder.effective_weights = lambda _layer: None  # type: ignore[assignment, attr-defined]


def _projected(_model: SamHQ) -> None:
    def none(_self: Any, _tokens: Any, *layers: Any) -> tuple[None, ...]:
        return (None,) * len(layers)

    Attention._absorbed = none  # type: ignore[method-assign, assignment]


def _copied(_model: SamHQ) -> None:
    TwoWayAttentionBlock.projections = lambda *_: None  # type: ignore[method-assign]


@dataclass(frozen=True)
class Trick:
    """label: as in the table, `without LABEL`. take_out: changes the network, or its module for this process."""

    label: str
    take_out: Callable[[SamHQ], None]


TRICKS = {
    "absorbed_projections": Trick("the image's projections absorbed into the tokens", _projected),
    "shared_first_block": Trick("the first block's projections shared by all objects", _copied),
    "folded_convolution": Trick("the last HQ convolution folded", _unfolded),
}


def take_out(name: str, model: SamHQ) -> None:
    """Take one trick out, by its name."""
    TRICKS[name].take_out(model)
