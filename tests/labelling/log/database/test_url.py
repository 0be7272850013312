"""No bent address of a database shows its password."""

import pytest

from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.url import postgresql_url, shown_url, without_secrets

SECRET = "s3cr3tword"
BENT = [
    f"postgresql://u:{SECRET}@host:12x/db",
    f"postgresql://u:{SECRET}@more@127.0.0.1:1/db",
    f"postgresql://u:ab@{SECRET}/more@127.0.0.1:1/db",
    f"postgresql://127.0.0.1:{SECRET}/db",
    f"postgresql://u:1@127.0.0.1:1,{SECRET}:2/db",
    f"postgres//u:{SECRET}@127.0.0.1/db",
    f"postgresql:u:{SECRET}@127.0.0.1/db",
    f"postgresql://u:{SECRET}\n@127.0.0.1:1/db",
    f" postgresql://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql+{SECRET}://u@host/db",
    f"mysql://u:{SECRET}@host/db",
    f"sqlite://u:{SECRET}@host/db",
    f"sqlite:{SECRET}",
    f"SQLITE:///u:{SECRET}",
    f"u:{SECRET}@host/db",
    SECRET,
]
REFUSED_BY_THE_DRIVER = [
    f"postgresql://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql://u@127.0.0.1:1/db?password={SECRET}",
    f"postgresql://u:{SECRET}@127.0.0.1:1/db?sslmode={SECRET}",
    f"postgresql://u:x@127.0.0.1:1/db?sslmode={SECRET}",
    f"postgresql://u:{SECRET}@127.0.0.1:99999/db",
]


@pytest.mark.parametrize("url", BENT)
def test_a_bent_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(WorkspaceError) as refused:
        open_database(url)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", REFUSED_BY_THE_DRIVER)
def test_the_driver_does_not_show_it_either(url: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(WorkspaceError) as refused:
        open_database(url)
    assert SECRET not in str(refused.value)


def test_a_sound_url_stays_what_it_is() -> None:
    url = postgresql_url("postgres://ann:p%40ss%2Fw@db.example:5433/labels?sslmode=require")
    assert (url.username, url.password, url.host, url.port) == ("ann", "p@ss/w", "db.example", 5433)
    assert (url.database, dict(url.query)) == ("labels", {"sslmode": "require"})
    assert shown_url(url) == "postgresql+psycopg://ann:***@db.example:5433/labels"
    assert without_secrets("no p@ss/w for ann at db.example", url) == "no *** for ann at db.example"
