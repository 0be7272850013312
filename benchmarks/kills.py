"""Kills what dentasam does, at random moments, and counts what is lost by it.

    python -m benchmarks.kills [--kills 1000] [--only NAME …] [--seed 0] [--json FILE]

Six kinds of work share the kills: the labelling server under the load of four clients, on SQLite and on PostgreSQL;
its encoding of images; `data import` (which goes on with --resume) and `data export`; and a small training run
(--resume). A kill is SIGKILL to the process and all its children; after each one the work is taken up again. In the
end everything that was acknowledged must be there once, and every file must equal, byte by byte (embeddings: but for
their last bits), that of a run without a kill; nothing may be left behind. Exits with 1 where anything is lost.
PostgreSQL is left out where its programs are not installed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .killed.commands import ROOT, Commands
from .killed.files import exports, imports, training
from .killed.labelling import Embeddings, Labelling
from .killed.tally import Tally, Work

# How the kills are shared out.
SHARES = {
    "label-sqlite": 0.45,
    "label-postgresql": 0.15,
    "embeddings": 0.1,
    "import": 0.12,
    "export": 0.12,
    "training": 0.06,
}
IMAGES = 4
PROGRESS_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--only", nargs="*", choices=SHARES, default=list(SHARES), help="kinds of work")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    total = sum(SHARES[name] for name in arguments.only)
    tallies: list[Tally] = []
    with tempfile.TemporaryDirectory() as scratch, Commands(Path(scratch) / "log") as commands:
        for name in arguments.only:
            with _work(name, commands, Path(scratch), random.Random(f"{arguments.seed}/{name}")) as work:
                if work is None:
                    print(f"{name}: not installed here", flush=True)
                    continue
                _attack(work, max(1, round(arguments.kills * SHARES[name] / total)))
                tallies.append(work.tally)
    lost = sum(len(tally.lost) for tally in tallies)
    print(f"{sum(tally.kills for tally in tallies)} kills, {lost} lost")
    if arguments.json:
        rows = [tally.row() for tally in tallies]
        arguments.json.write_text(json.dumps({"seed": arguments.seed, "rows": rows, "lost": lost}))
    sys.exit(1 if lost else 0)


def _attack(work: Work, kills: int) -> None:
    started = time.monotonic()
    work.prepare()
    tally = work.tally
    reported = time.monotonic()
    while tally.kills < kills:
        work.attack()
        if time.monotonic() - reported > PROGRESS_SECONDS:
            print(
                f"{tally.name}: {tally.kills} of {kills} kills, {len(tally.lost)} lost", file=sys.stderr, flush=True
            )
            reported = time.monotonic()
    work.finish()
    print(
        f"{tally.name}: {tally.kills} kills, {tally.finished} runs to the end, {tally.checked} things checked, "
        f"{len(tally.lost)} lost, {time.monotonic() - started:.0f} s",
        flush=True,
    )
    for line in tally.lost[:10]:
        print(f"  {line}", flush=True)


@contextmanager
def _work(name: str, commands: Commands, scratch: Path, chance: random.Random) -> Iterator[Work | None]:
    folder = scratch / name
    if name == "label-postgresql":
        with _postgresql() as database:
            yield Labelling("label on PostgreSQL", commands, folder, chance, database()) if database else None
    elif name == "label-sqlite":
        yield Labelling("label on SQLite", commands, folder, chance)
    elif name == "embeddings":
        yield Embeddings(commands, folder, chance)
    elif name == "training":
        yield training(commands, folder, chance)
    else:
        dataset = scratch / f"{name}-dataset"
        arguments = ["--out", str(dataset), "--count", str(IMAGES), "--width", "512", "--height", "256"]
        commands.run("data", "phantom", *arguments)
        described = dataset / "phantoms.json"
        if name == "export":
            yield exports(commands, folder, described, chance)
        else:
            source = scratch / "labelme"
            commands.run("data", "export", str(described), "--format", "labelme", "--out", str(source))
            yield imports(commands, folder, source, chance)


@contextmanager
def _postgresql() -> Iterator[Callable[[], str] | None]:
    """What gives the URL of an empty database on a server of its own; None without PostgreSQL's programs."""
    sys.path.insert(0, str(ROOT))
    from tests.labelling.postgresql import find_binaries, serving

    binaries = find_binaries()
    if binaries is None:
        yield None
        return
    with serving(binaries) as server:
        yield server.database


if __name__ == "__main__":
    main()
