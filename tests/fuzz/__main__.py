"""The command of the suite: bent files of every kind for as long as one likes, or a single case.

    python -m tests.fuzz --cases 50                            # 50 of every kind
    python -m tests.fuzz --hours 3 --seed 7 --kinds png,tiff
    python -m tests.fuzz --case png:7:123                      # one again, with its traceback

Case `number` of a kind from a seed always has the same bytes. Findings are kept with the bent file under --findings.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from .kind import Kind
from .kinds import KINDS
from .loading import load_everything
from .runner import Result, Runner


def _cases(kinds: list[Kind], first: int, cases: int | None, hours: float | None) -> Iterator[tuple[Kind, int]]:
    """Kind after kind, a case of each, so that a run that is stopped has tried all alike."""
    if cases is None and hours is None:
        for kind in kinds:
            yield from ((kind, first + number) for number in range(kind.in_tests))
        return
    ends = None if hours is None else time.monotonic() + 3600 * hours
    number = first
    while (cases is None or number < first + cases) and (ends is None or time.monotonic() < ends):
        for kind in kinds:
            yield kind, number
        number += 1


def _parsed(case: str) -> tuple[Kind, int, int]:
    name, seed, number = case.rsplit(":", 2)
    return KINDS[name], int(seed), int(number)


def _line(result: Result) -> dict[str, object]:
    return {
        "case": result.case,
        "kind": result.kind,
        "outcome": result.outcome.kind,
        "finding": result.outcome.is_finding,
        "detail": result.outcome.detail,
        "bent": result.bent.how,
        "seconds": round(result.ran.seconds, 3),
        "mb": round(result.ran.peak / 1e6),
    }


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="", help=f"of {', '.join(KINDS)}; all if left out")
    parser.add_argument("--cases", type=int, help="of every kind; as many as in the tests if left out")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--hours", type=float, help="run for so long instead")
    parser.add_argument("--case", action="append", default=[], metavar="KIND:SEED:NUMBER", help="this case alone")
    parser.add_argument("--also", action="append", default=[], metavar="KIND:SEED:NUMBER", help="this case as well")
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz"), help="folder for the files of findings")
    parser.add_argument("--json", action="store_true", help="print a JSON line for every case, and nothing else")
    given = parser.parse_args()
    unknown = [name for name in filter(None, given.kinds.split(",")) if name not in KINDS]
    if unknown:
        parser.error(f"{unknown[0]} is not a kind; give some of {', '.join(KINDS)}")
    kinds = [KINDS[name] for name in filter(None, given.kinds.split(","))] or list(KINDS.values())
    load_everything()
    tally: Counter[tuple[str, str]] = Counter()
    findings = given.findings.absolute()
    with tempfile.TemporaryDirectory(prefix="dentasam-fuzz-") as folder:
        runner = Runner(Path(folder), findings)
        others = ((kind, given.seed, n) for kind, n in _cases(kinds, given.first, given.cases, given.hours))
        cases = [_parsed(case) for case in (given.case or given.also)]
        for kind, seed, number in chain(cases, [] if given.case else others):
            result = runner.run(kind, seed, number)
            tally[kind.name, result.outcome.kind] += 1
            if given.json:
                print(json.dumps(_line(result)), flush=True)
            elif result.outcome.is_finding or given.case:
                print(
                    f"{result.case}  {result.outcome.kind}: {result.outcome.detail}\n    {result.bent.how}",
                    flush=True,
                )
                if given.case:
                    print(result.ran.stderr)
    found = sum(count for (_, outcome), count in tally.items() if outcome not in ("read", "refused"))
    if not given.json:
        for name in sorted({name for name, _ in tally}):
            counts = {outcome: count for (kind_name, outcome), count in sorted(tally.items()) if kind_name == name}
            print(f"{name:<18} " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
        print(f"{sum(tally.values())} cases, {found} findings" + (f" → {findings}" if found else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
