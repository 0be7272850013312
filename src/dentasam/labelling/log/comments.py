"""The comments on a case."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert

from dentasam.labelling.log.cases import change_case_row
from dentasam.labelling.log.database.checksums import is_whole
from dentasam.labelling.log.database.damage import Damage
from dentasam.labelling.log.database.tables import comments
from dentasam.labelling.log.read import Row, read_rows
from dentasam.labelling.log.rows import sealed, utc_now
from dentasam.labelling.wire.fields import MAX_COMMENT_LENGTH


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about a case. `time` is ISO 8601 in UTC."""

    id: int
    annotator: str
    text: str
    time: str


def read_comments(connection: Connection, case: Row, damages: list[Damage]) -> list[Comment]:
    """The comments on a case, oldest first. What of them is damaged is added to `damages`."""
    found: list[Comment] = []
    stored = list(read_rows(connection, comments, comments.c.case_id == case["id"], comments.c.id))
    for row in stored:
        if is_whole("comments", row):
            found.append(Comment(row["id"], row["annotator"], row["text"], row["time"]))
        else:
            damages.append(Damage(case["name"], f"comment {row['id']} is damaged in the database"))
    if len(stored) < case["comment_rows"]:
        damages.append(Damage(case["name"], f"{case['comment_rows'] - len(stored)} comments are missing"))
    return found


def plain_text(text: str) -> str:
    """The text as it is stored, without NUL and outer white space. Raises ValueError if it is empty or too long."""
    # PostgreSQL cannot store NUL, and nobody types it.
    text = text.replace("\0", "").strip()
    if not text or len(text) > MAX_COMMENT_LENGTH:
        raise ValueError(f"a comment has 1 to {MAX_COMMENT_LENGTH} characters")
    return text


def insert_comment(connection: Connection, case: Row, annotator: str, text: str) -> Comment:
    """Adds a comment, now. case: its row, which is locked."""
    now = utc_now()
    values = sealed("comments", {"case_id": case["id"], "annotator": annotator, "text": text, "time": now})
    key = connection.execute(insert(comments).values(values)).inserted_primary_key
    assert key is not None
    change_case_row(connection, case, {"comment_rows": case["comment_rows"] + 1})
    return Comment(int(key[0]), annotator, text, now)
