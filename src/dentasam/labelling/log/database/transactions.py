"""Transactions that read and that write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

# Databases limit the parameters of a statement.
MAX_IDS_PER_STATEMENT = 500


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads; all its statements see the database at the same moment."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # By default each statement sees what was committed before it.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes.

    SQLite takes its only write lock at the start. Taken after a read, it would fail at once, without waiting, if
    another thread had written in between.
    """
    with engine.connect().execution_options(dentasam_write=True) as connection, connection.begin():
        yield connection


def batches(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Ids in parts that fit one statement."""
    return (ids[at : at + MAX_IDS_PER_STATEMENT] for at in range(0, len(ids), MAX_IDS_PER_STATEMENT))
