"""What errors of PostgreSQL mean, from a server that goes away."""

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DataError

from dentasam.labelling.log.database.damage import StorageLost
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.store import Store

from ...conftest import MANUAL, Make, block, case_image, first_case
from ...postgresql import PostgreSQL


def ended(url: str, connection: Connection) -> None:
    """Ends the session of a connection as an administrator would."""
    with psycopg.connect(url, autocommit=True) as other:
        pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.parametrize("statement", ["SELECT", "INSERT INTO operations"])
def test_a_connection_that_is_lost_is_named_and_the_next_request_gets_another(
    postgresql: PostgreSQL, make: Make, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgresql.database()
    store = Store(open_database(url))
    store.sync_cases([case_image("a.png")])
    case = first_case(store)
    drawn = make("create", "00000000-0000-0000-0000-000000000001", MANUAL, mask=block(5, 5, 30, 20))
    left = [statement]

    def lose(connection: Connection, cursor: object, sent: str, *rest: object) -> None:
        if left and sent.startswith(left[0]):
            left.clear()
            ended(url, connection)

    event.listen(store.engine, "before_cursor_execute", lose)
    with pytest.raises(StorageLost, match="^the labelling database cannot be reached; try again"):
        store.append(case, [drawn], 0, "ann")
    assert not left
    assert "terminating connection" in caplog.text
    assert store.append(case, [drawn], 0, "ann").stored == 1
    assert [known.id for known in store.state(case).present] == [drawn.object]


def test_a_server_that_is_gone_is_named() -> None:
    store = Store(create_engine("postgresql+psycopg://dentasam@/postgres?host=/nowhere"))
    with pytest.raises(StorageLost, match="cannot be reached"):
        store.cases()


def test_an_error_of_a_statement_is_no_lost_connection(postgresql: PostgreSQL) -> None:
    store = Store(open_database(postgresql.database()))
    with pytest.raises(DataError, match="division by zero"), store._writing() as connection:
        connection.execute(text("SELECT 1 / 0"))
