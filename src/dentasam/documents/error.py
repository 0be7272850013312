"""What is wrong with a document, and where."""


class DocumentError(ValueError):
    """A text is not a document that can be read.

    reason: what is wrong, a few words. line, column: from 1, None where the place is not known. key: what an object
    has twice, where that is the error. empty: whether there is no text at all.
    """

    def __init__(
        self,
        reason: str,
        line: int | None = None,
        column: int | None = None,
        *,
        key: str | None = None,
        empty: bool = False,
    ) -> None:
        place = "" if line is None else f" in line {line}" + ("" if column is None else f", column {column}")
        super().__init__(reason + place)
        self.reason, self.line, self.column, self.key, self.empty = reason, line, column, key, empty

    @classmethod
    def at(cls, reason: str, text: str, position: int) -> "DocumentError":
        """The error at a character of a text."""
        line = text.count("\n", 0, position) + 1
        return cls(reason, line, position - text.rfind("\n", 0, position))
