"""What a kind of file is to the suite: a valid example, ways to bend it, and how the product reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Bent:
    """A bent copy of an example.

    folder: the copy. file: what was bent in it, or the folder. how: the changes, in words. names: one of them must be
    in the line that refuses it; the file's name if left out. draw: 0 ≤ draw < 1, by which a reader chooses among its
    commands. unseen: whether the change may pass unnoticed where the kind is guarded by a checksum.
    """

    folder: Path
    file: Path
    how: str
    names: tuple[str, ...] = ()
    draw: float = 0.0
    unseen: bool = False

    @property
    def accepted_names(self) -> tuple[str, ...]:
        return self.names or (self.file.name,)


# A reader returns the digest of what it read, None for no digest, or a command's exit code; it raises what it raises.
Read = Callable[[Bent], str | int | None]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    build: writes a valid example into an empty folder, always the same bytes. bend: bends a copy of it, in place.
    read: what the product does with it, run in a process of its own. guarded: whether a checksum guards the content,
    so that other content is either refused or named. in_tests: how many cases `make test` tries. whole: what the
    reader is given of the example as it is; its folder if left out.
    """

    name: str
    build: Callable[[Path], None]
    bend: Callable[[Random, Path], Bent]
    read: Read
    guarded: bool = False
    in_tests: int = 8
    whole: str = ""


def random_of(seed: int, kind: str, number: int) -> Random:
    """The only source of chance in a case: the same arguments give the same bytes."""
    return Random(f"{seed}/{kind}/{number}")
