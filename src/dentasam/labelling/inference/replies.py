"""What the model answers: a mask for each object that was asked for, the model that made it, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass

from dentasam.labelling.inference.requests import Click
from dentasam.labelling.inference.served_model import ModelIdentity
from dentasam.labelling.wire.box_mask import BoxMask


@dataclass(frozen=True)
class PredictedObject:
    """score: the predicted IoU of the mask as the model made it, before the pixels edited by hand."""

    id: str
    mask: BoxMask
    score: float


@dataclass(frozen=True)
class RefinedObject(PredictedObject):
    """clicks: all that were given to the model, the old ones first."""

    clicks: tuple[Click, ...]


@dataclass(frozen=True)
class Seconds:
    """encode: time spent waiting for the image's embedding, 0 if it was in memory. decode: all other time."""

    encode: float
    decode: float


@dataclass(frozen=True)
class PredictReply:
    """picture: the hash of the image file that the masks were made from."""

    objects: tuple[PredictedObject, ...]
    model: ModelIdentity
    seconds: Seconds
    picture: str


@dataclass(frozen=True)
class RefineReply(PredictReply):
    """The same with the clicks of each object."""

    objects: tuple[RefinedObject, ...]
