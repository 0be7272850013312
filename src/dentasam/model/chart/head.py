"""The chart head of an adapter: finder and numberer with their calibration, in a file beside the adapter's weights.

chart.safetensors   the weights, in half precision
chart.json          ChartCard: whose embeddings it reads (base and adapter with their hashes), recipe, data, scores,
                    and the hash of the weights, so that the two files of an interrupted copy are told apart
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialize
from safetensors.torch import save as serialize
from torch import nn

from dentasam.documents.json_document import read_json
from dentasam.documents.shown import MAX_REASON, without_middle
from dentasam.errors import ChartError
from dentasam.files.atomic_write import write_atomically
from dentasam.files.regular_file import open_regular
from dentasam.model.chart.finder import Finder
from dentasam.model.chart.numberer import Numberer
from dentasam.model.checkpoints.finite import first_not_finite
from dentasam.version import __version__

WEIGHTS, CARD = "chart.safetensors", "chart.json"
# Of the confidence: a factor each for the centre's, the number's and the mask's log odds, and a constant.
CALIBRATION = 4
# Of a card's fields, as they are annotated.
_TYPES = {"str": (str,), "str | None": (str, type(None)), "int": (int,), "dict[str, Any]": (dict,)}
_TRAIN = "train one with dentasam train --recipe chart"


@dataclass(frozen=True)
class ChartCard:
    """What a chart head is.

    base_sha256: hash of the base's checkpoint. adapter_sha256, adapter_settings_sha256: of the adapter whose
    embeddings it reads, None for the base alone. width, detail: of the finder; numberer_width: of the numberer.
    weights_sha256: hash of the file of the weights that the card belongs to, set by `save_head`.
    """

    base_model: str
    base_sha256: str
    adapter: str | None
    adapter_sha256: str | None
    adapter_settings_sha256: str | None
    width: int = 128
    detail: int = 64
    numberer_width: int = 128
    recipe: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    dentasam: str = __version__

    @classmethod
    def read(cls, folder: Path) -> ChartCard:
        """The card in a folder. Raises ChartError."""
        path = folder / CARD
        try:
            content = read_json(path)
            if "weights_sha256" not in content and "base_sha256" in content:
                raise ChartError(f"{path}: of a chart head of other networks, by an earlier version; {_TRAIN}")
            card = cls(**{one.name: content[one.name] for one in fields(cls)})
            wrong = [one.name for one in fields(cls) if not isinstance(content[one.name], _TYPES[str(one.type)])]
            if wrong:
                raise ValueError(f"{', '.join(wrong)} of another type")
            sizes = (card.width, card.detail, card.numberer_width)
            if not all(isinstance(size, int) and 8 <= size <= 1024 and size % 8 == 0 for size in sizes):
                raise ValueError(f"sizes {sizes}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = without_middle(str(error), MAX_REASON)
            raise ChartError(f"{path}: not the card of a chart head ({reason}); copy it again, or {_TRAIN}") from None
        return card


class ChartHead(nn.Module):
    """The finder and the numberer that belong together."""

    calibration: torch.Tensor

    def __init__(self, width: int = 128, detail: int = 64, numberer_width: int = 128) -> None:
        super().__init__()
        self.finder = Finder(width, detail)
        self.numberer = Numberer(numberer_width)
        self.register_buffer("calibration", torch.tensor([1.0, 1.0, 0.0, 0.0]))

    @classmethod
    def of(cls, card: ChartCard) -> ChartHead:
        """A head of the card's sizes, with random weights."""
        return cls(card.width, card.detail, card.numberer_width)


def has_head(folder: Path) -> bool:
    """Whether a folder holds a chart head."""
    return (folder / WEIGHTS).is_file() and (folder / CARD).is_file()


def save_head(head: ChartHead, folder: Path, card: ChartCard) -> None:
    """Write a head and its card; an interrupted save leaves both files complete, the card last.

    Raises ChartError for weights that are not finite.
    """
    weights = {name: tensor.detach().cpu().half().contiguous() for name, tensor in head.state_dict().items()}
    broken = first_not_finite(weights)
    if broken is not None:
        raise ChartError(f"{folder}: {broken} is not finite, nothing written; train with a smaller rate")
    content = serialize(weights, metadata={"format": "pt"})
    card = replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    with write_atomically(folder / CARD) as card_file, write_atomically(folder / WEIGHTS) as weights_file:
        weights_file.write_bytes(content)
        card_file.write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")


def load_head(folder: Path) -> tuple[ChartHead, ChartCard]:
    """The head in a folder, frozen, in single precision. Raises ChartError."""
    card = ChartCard.read(folder)
    path = folder / WEIGHTS
    try:
        with open_regular(path) as file:
            content = file.read()
        weights = deserialize(content)
    except (OSError, SafetensorError) as error:
        raise ChartError(f"{path}: damaged or cut short ({error}); copy it again, or {_TRAIN}") from None
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        raise ChartError(f"{path}: not the weights of {CARD} beside it; copy both files again, or {_TRAIN}")
    broken = first_not_finite(weights)
    if broken is not None:
        raise ChartError(f"{path}: {broken} holds NaN or infinite numbers; copy it again, or {_TRAIN}")
    head = ChartHead.of(card)
    try:
        head.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError:
        raise ChartError(f"{path}: not the weights that its card describes; copy it again, or {_TRAIN}") from None
    return head.eval().requires_grad_(False), card


def refusal(
    folder: Path, card: ChartCard, base_sha256: str, adapter_sha256: str | None, settings_sha256: str | None
) -> str | None:
    """Why a head cannot be used with a base and an adapter, given by their hashes; None where it can."""
    if card.base_sha256 != base_sha256:
        return (
            f"{folder / WEIGHTS}: trained on {card.base_model} (sha256 {card.base_sha256[:12]}…), not on the base in "
            f"use (sha256 {base_sha256[:12]}…); {_TRAIN}"
        )
    if (card.adapter_sha256, card.adapter_settings_sha256) != (adapter_sha256, settings_sha256):
        own = card.adapter or "the base alone"
        return f"{folder / WEIGHTS}: trained on embeddings of {own}, not of the adapter in use; {_TRAIN}"
    return None
