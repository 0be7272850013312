"""Databases of both kinds, a folder of small radiographs, and the operations that tests send."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from PIL import Image
from sqlalchemy import Engine

from dentasam.labelling.log import database
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.operations import Operation, parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import CaseImage

from .postgresql import PostgreSQL, find_binaries, serving

# The data of an operation that creates an object by hand.
MANUAL = {"category": None, "parent": None, "source": "manual"}
NO_POSTGRESQL = "no PostgreSQL binaries (initdb, pg_ctl) here; Debian: apt-get install postgresql"
Make = Callable[..., Operation]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(NO_POSTGRESQL)
    with serving(binaries) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.sqlite3'}"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.database()


def downgrade(engine: Engine, revision: str) -> None:
    """Gives a database the tables of an older version, without what they could not hold."""
    config = Config()
    migrations = Path(database.__file__).with_name("migrations")
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def case_image(name: str, width: int = 60, height: int = 40, bits: int = 8) -> CaseImage:
    """An image of the worklist that no test reads the pixels of."""
    return CaseImage(name, Path("/nowhere") / name, width, height, bits)


def case_images(paths: Mapping[int, Path]) -> dict[int, CaseImage]:
    """The images of a worklist from their files of 8 bits."""
    found = {}
    for case, path in paths.items():
        with Image.open(path) as image:
            found[case] = CaseImage(path.name, path, image.width, image.height, 8)
    return found


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with the cases a.png and b.png, 60 x 40 pixels."""
    engine = open_database(database_url)
    store = Store(engine)
    store.sync_cases([case_image("a.png"), case_image("b.png")])
    yield store
    engine.dispose()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """The same in SQLite alone, where the kind of database does not matter."""
    engine = open_database(f"sqlite:///{tmp_path / 'labels.sqlite3'}")
    store = Store(engine)
    store.sync_cases([case_image("a.png"), case_image("b.png")])
    yield store
    engine.dispose()


def first_case(store: Store) -> int:
    """The id of the first case of the worklist."""
    return store.cases()[0].id


@dataclass(frozen=True)
class Reported:
    """An interval of active time as the page reports it."""

    start: int
    seconds: float
    tool: str = "brush"
    object: str | None = None


def block(top: int, left: int, bottom: int, right: int, height: int = 40, width: int = 60) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.fixture
def make() -> Make:
    """Makes an operation: kind, object, its data, and more of its keys by name."""
    clock = iter(range(1_700_000_000_000, 1_800_000_000_000, 1000))

    def made(kind: str, object: str | None, data: dict[str, Any], **more: Any) -> Operation:
        masks = {
            key: BoxMask.from_mask(value) if isinstance(value, np.ndarray) else value for key, value in more.items()
        }
        document = {"id": str(uuid.uuid4()), "kind": kind, "object": object, "time": next(clock), "data": data}
        return parse_operation(document | masks)

    return made


@pytest.fixture
def radiographs(tmp_path: Path) -> Path:
    """A folder with a.png, deep/b.png (8 bits, 60 x 40) and wide.png (16 bits, 50 x 30)."""
    folder = tmp_path / "radiographs"
    (folder / "deep").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in ("a.png", "deep/b.png"):
        Image.fromarray(draw.integers(0, 256, (40, 60), dtype=np.uint8)).save(folder / name)
    Image.fromarray(draw.integers(0, 65536, (30, 50), dtype=np.uint16)).save(folder / "wide.png")
    return folder
