"""Field types and limits that several documents between page and server share."""

from typing import Annotated

from pydantic import Field, StringConstraints

from dentasam.data.images.size_limit import PIXEL_LIMIT

MAX_CLICKS = 2000  # of one object
MAX_COMMENT_LENGTH = 5000  # characters

# The name of a label, a case or a person: one line without control characters.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
# A coordinate in pixels of the image, which may lie outside of it.
Pixel = Annotated[float, Field(ge=-PIXEL_LIMIT, le=PIXEL_LIMIT, allow_inf_nan=False)]
