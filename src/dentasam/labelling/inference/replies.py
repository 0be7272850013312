"""What the model answers: a mask for each object that was asked for, the model that made it, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass

from dentasam.labelling.inference.requests import Click
from dentasam.labelling.inference.served_model import ModelIdentity
from dentasam.labelling.log.operations import AnsweredBy
from dentasam.labelling.wire.box_mask import BoxMask


@dataclass(frozen=True)
class Choice:
    """One of the masks that an ambiguous click may mean, such as a tooth or its filling. As in PredictedObject."""

    mask: BoxMask
    score: float
    answered_by: AnsweredBy


@dataclass(frozen=True)
class PredictedObject:
    """score: the predicted IoU of the mask as the model made it, before the pixels edited by hand.

    answered_by: whether the model saw an object window or the whole image; None where it was not asked.
    choices: the masks that the click may mean, the largest first; `mask` is one of them. Empty where they were not
    asked for, or where the model has none.
    """

    id: str
    mask: BoxMask
    score: float
    answered_by: AnsweredBy | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class RefinedObject(PredictedObject):
    """clicks: all that were given to the model, the old ones first."""

    clicks: tuple[Click, ...] = ()


@dataclass(frozen=True)
class Seconds:
    """encode: time spent waiting for the image's embedding and pixels, 0 if they were in memory. decode: the rest."""

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
