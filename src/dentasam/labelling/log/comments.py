"""The comments on a case."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from dentasam.labelling.log.database import comments
from dentasam.labelling.log.rows import utc_now
from dentasam.labelling.wire.fields import MAX_COMMENT_LENGTH


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about a case. `time` is ISO 8601 in UTC."""

    id: int
    annotator: str
    text: str
    time: str


def read_comments(connection: Connection, case_id: int) -> list[Comment]:
    """The comments on a case, oldest first."""
    query = select(comments).where(comments.c.case_id == case_id).order_by(comments.c.id)
    return [Comment(row.id, row.annotator, row.text, row.time) for row in connection.execute(query)]


def plain_text(text: str) -> str:
    """The text as it is stored, without NUL and outer white space. Raises ValueError if it is empty or too long."""
    # PostgreSQL cannot store NUL, and nobody types it.
    text = text.replace("\0", "").strip()
    if not text or len(text) > MAX_COMMENT_LENGTH:
        raise ValueError(f"a comment has 1 to {MAX_COMMENT_LENGTH} characters")
    return text


def insert_comment(connection: Connection, case_id: int, annotator: str, text: str) -> Comment:
    """Adds a comment, now."""
    now = utc_now()
    values = {"case_id": case_id, "annotator": annotator, "text": text, "time": now}
    key = connection.execute(insert(comments).values(**values)).inserted_primary_key
    assert key is not None
    return Comment(int(key[0]), annotator, text, now)
