"""What pydantic finds wrong in a document, in one line."""

from pydantic import ValidationError

from dentasam.documents.shown import cut, printable

MAX_MESSAGE = 200
MAX_PARTS = 8


def first_error(error: ValidationError, *where: str) -> str:
    """The first error that pydantic found, in one line that starts with the place of the error in the document.

    where: what comes before the place, as its first part.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"] and first["type"] in ("model_type", "dict_type", "model_attributes_type"):
        # pydantic would name the class.
        message = "a mapping of keys is wanted"
        return f"{place_of(where)}: {message}" if where else message
    message = cut(printable(" ".join(first["msg"].removeprefix("Value error, ").split())), MAX_MESSAGE)
    place = place_of((*where, *first["loc"]))
    return f"{place}: {message}" if place else message


def place_of(location: tuple[int | str, ...]) -> str:
    """The keys and positions that lead to an error, as `labels.3.name`; long keys are cut."""
    return ".".join(cut(printable(str(part))) for part in location[:MAX_PARTS])
