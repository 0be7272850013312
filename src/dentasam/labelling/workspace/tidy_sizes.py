"""The sizes below which islands and holes of the model's masks are removed automatically."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dentasam.labelling.wire.fields import Number


def _check_size(value: float) -> float:
    if value >= 1 and value != int(value):
        raise ValueError(f"{value:g} is neither a share below 1 nor a whole number of pixels")
    return value


# Below 1: a share of the object's largest part; from 1: a number of image pixels; 0 keeps everything.
Size = Annotated[Number, Field(ge=0, le=1_000_000_000), AfterValidator(_check_size)]

# After one click on each of 225 teeth of eight X-rays, 38 of 40 islands and all eight holes of the model's masks were
# smaller. The true masks had no island, and the gaps between their roots were larger.
DEFAULT_ISLANDS, DEFAULT_HOLES = 0.1, 0.02


class Tidy(BaseModel):
    """What is small: islands and holes below these sizes go. None: as the workspace says, or the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    islands: Size | None = None
    holes: Size | None = None

    def with_defaults(self, other: Tidy) -> Tidy:
        """These sizes, with those of `other` where there are none here."""
        return Tidy(
            islands=other.islands if self.islands is None else self.islands,
            holes=other.holes if self.holes is None else self.holes,
        )


DEFAULT_TIDY = Tidy(islands=DEFAULT_ISLANDS, holes=DEFAULT_HOLES)
