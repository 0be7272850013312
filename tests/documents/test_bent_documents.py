"""Every reader of documents, given every kind of bent document: it reads it, or refuses it in one short line."""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dentasam.errors import DentasamError
from dentasam.labelling.exchange.monai import MonaiError
from dentasam.labelling.log.operations import OperationError
from dentasam.labelling.wire.envelope import EnvelopeError

from .bent import bent_texts, bent_values
from .kinds import KINDS, Kind, text_of

REFUSALS = (DentasamError, EnvelopeError, OperationError, MonaiError)
# What is stopped here would run for minutes.
SECONDS = 20
LONGEST = 500


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_bent_documents(tmp_path: Path, kind: Kind) -> None:
    assert refusal(tmp_path / "sound", kind, text_of(kind).encode()) is None
    chance = random.Random(1)
    documents = {name: bender(text_of(kind), chance) for name, bender in bent_texts().items()}
    documents |= {f"value-{n}": data for n, data in enumerate(bent_values(kind.sound, 1, 12))}
    refused = [refusal(tmp_path / name.replace(" ", "-"), kind, data) for name, data in documents.items()]
    assert sum(line is not None for line in refused) > len(bent_texts()) / 2


def refusal(folder: Path, kind: Kind, data: bytes) -> str | None:
    """The line with which a document is refused, None where it is read; fails for anything else."""
    folder.mkdir()
    (folder / kind.name).write_bytes(data)
    try:
        with within(SECONDS):
            kind.read(folder / kind.name)
    except REFUSALS as error:
        line = str(error).replace(str(folder), "")
        assert len(line) < LONGEST, line[:LONGEST]
        assert "\n" not in line
        return line
    return None


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Ends what takes longer, where the system has alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
