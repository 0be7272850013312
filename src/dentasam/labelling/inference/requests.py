"""What the model is asked about one object: by clicks and a box, or by strokes of the brush.

The API parses the documents of `/predict` and `/refine` into these types, and MONAI Label's points become one of
them. Parsing checks the annotations; the predictor checks the prompts against the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, GetPydanticSchema

from dentasam.labelling.log.operations import Mask
from dentasam.labelling.wire.fields import MAX_CLICKS, Name, Pixel, Sign, Switch
from dentasam.labelling.workspace.tidy_sizes import Tidy

Key = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")]
# Parsed as 0 or 1; an int elsewhere, as arrays give it.
ClickLabel = Annotated[int, GetPydanticSchema(lambda _, handler: handler(Sign))]
Click = tuple[Pixel, Pixel, ClickLabel]
Clicks = Annotated[
    Sequence[Click],
    Field(max_length=MAX_CLICKS, description="x, y in image pixels, and 1 positive or 0 negative."),
]
Box = Annotated[tuple[Pixel, Pixel, Pixel, Pixel], Field(description="x0, y0, x1, y1 in image pixels.")]
Category = Annotated[Name | None, Field(description="The object's label, for what the schema tidies.")]

# The sizes of the islands and holes to remove from the masks of a category.
TidySizes = Callable[[str | None], Tidy]
# Whether a first click means a part rather than the whole, for objects of a category.
PrefersPart = Callable[[str | None], bool]


@dataclass(frozen=True)
class PredictObject:
    """One object: all its clicks, its box, its mask before the last click, all pixels painted and erased by hand.

    choices: whether the reply carries all masks that the prompt may mean, beside the one it takes.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: Key
    clicks: Clicks = ()
    box: Box | None = None
    previous: Mask | None = None
    painted: Mask | None = None
    erased: Mask | None = None
    category: Category = None
    choices: Switch = False


@dataclass(frozen=True)
class RefineObject:
    """One object: its mask before and after the strokes, all pixels painted and erased by hand, its clicks so far."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: Key
    before: Mask
    after: Mask
    painted: Mask | None = None
    erased: Mask | None = None
    clicks: Clicks = ()
    category: Category = None
