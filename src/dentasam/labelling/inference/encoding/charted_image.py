"""The chart of an image as the labelling tool keeps it: what proposals are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dentasam.labelling.log.operations import AnsweredBy
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.chart.chart import Chart


@dataclass(frozen=True)
class ChartedObject:
    """A tooth or implant of a chart.

    mask: as the model made it, neither tidied nor edited. number: FDI or `implant`. click: x, y in image pixels, the
    positive click behind the mask. score: its predicted IoU. confidence: that it is there and its number is right.
    """

    mask: BoxMask
    number: str
    click: tuple[float, float]
    score: float
    confidence: float
    answered_by: AnsweredBy


@dataclass(frozen=True)
class ChartedImage:
    """The objects in chart order, and how unsure the model is of the image, 0 sure … 1 unsure."""

    objects: tuple[ChartedObject, ...]
    uncertainty: float

    @staticmethod
    def of(chart: Chart) -> ChartedImage:
        """What the labelling tool keeps of a chart: all but the logits."""
        rows = zip(chart.answers, chart.numbers, chart.clicks, chart.confidences, strict=True)
        found = [
            ChartedObject(
                mask=BoxMask(*answer.mask).tight(),
                number=number,
                click=(float(click[0]), float(click[1])),
                score=float(answer.score),
                confidence=min(max(float(confidence), 0.0), 1.0),
                answered_by="whole" if answer.window is None else "window",
            )
            for answer, number, click, confidence in rows
        ]
        return ChartedImage(tuple(found), chart.uncertainty)

    def document(self) -> dict[str, Any]:
        """As JSON with BoxMasks in it, to be packed into an envelope."""
        return {"uncertainty": self.uncertainty, "objects": [vars(found) for found in self.objects]}

    @staticmethod
    def from_document(document: dict[str, Any]) -> ChartedImage:
        """The other way round. Raises KeyError and TypeError for another document."""
        found = [ChartedObject(**(each | {"click": tuple(each["click"])})) for each in document["objects"]]
        return ChartedImage(tuple(found), document["uncertainty"])
