"""What charts in one folder have in common: the model, and the options that change what is written.

The card lies in the folder as ``run.json``. Processes that start together on an empty folder agree on the card of the
first, and none goes on with charts that were made in another way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dentasam.documents.json_document import read_json
from dentasam.documents.shown import cut, printable
from dentasam.errors import OutputError
from dentasam.evaluation.archive.settings import ChartSettings
from dentasam.files.atomic_write import DRAFT_SUFFIX, draft_of
from dentasam.files.output_folder import check_no_links, made_folder
from dentasam.version import __version__

if TYPE_CHECKING:
    from dentasam.evaluation.archive.settings import ChartMaker

CARD = "run.json"
# The first characters of a hash tell two apart.
SHOWN = 16


@dataclass(frozen=True)
class RunCard:
    """content: what must be equal, each by the words that a message uses for it."""

    content: Mapping[str, str]

    @staticmethod
    def of(model: ChartMaker, settings: ChartSettings) -> RunCard:
        """The card of a run with this model and these settings."""
        adapter = model.adapters.identity()
        content = {"model": model.name, "hash of the model": f"{model.info.sha256}{model.info.int8 or ''}"}
        content["adapter"] = adapter.name if adapter else "none"
        if adapter is not None:
            hashes = {key: value for key, value in asdict(adapter).items() if key != "name"}
            content["hash of the adapter"] = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
        content["hash of the chart head"] = model.chart_sha256 or "none"
        content["runtime"], content["precision"] = model.model.runtime, model.precision
        return RunCard(content | {key.replace("_", "-"): str(value) for key, value in asdict(settings).items()})

    @property
    def key(self) -> str:
        """A short hash of the content, by which a chart names its run."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()[:SHOWN]

    def claim(self, out: Path, resume: bool) -> None:
        """Makes the folder `out` and puts the card there, or checks that the card there is this one.

        Raises OutputError as `check_free`, and where the folder holds charts of another run.
        """
        made_folder(out)
        check_free(out, resume)
        if not self._placed(out / CARD):
            self._check_same(out)

    def _placed(self, path: Path) -> bool:
        """Whether there was no card: a link, unlike a rename, does not replace the one of another process."""
        if path.exists():
            return False
        text = json.dumps({"dentasam": __version__, "charts": dict(self.content)}, indent=1)
        try:
            with draft_of(path) as draft:
                draft.write_text(text, encoding="utf-8")
                try:
                    os.link(draft, path)
                except FileExistsError:
                    return False
                except OSError:
                    os.replace(draft, path)  # a file system without links
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); choose another --out") from None
        return True

    def _check_same(self, out: Path) -> None:
        try:
            there = read_json(out / CARD)["charts"]
            keys = [key for key in {**there, **self.content} if there.get(key) != self.content.get(key)]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise OutputError(f"{out / CARD} is not a run of charts; choose another --out") from None
        if keys:
            differs = "; ".join(
                f"{key} {_short(there.get(key))}, now {_short(self.content.get(key))}" for key in keys
            )
            raise OutputError(f"{out} holds charts made in another way ({differs}); choose another --out")


def check_free(out: Path, resume: bool) -> None:
    """Raises OutputError for a folder that a new run cannot take, or that holds nothing to resume, or a link.

    Writes nothing.
    """
    if not out.is_dir():
        return
    held = sorted(entry.name for entry in out.iterdir() if not entry.name.endswith(DRAFT_SUFFIX))
    if held and not resume:
        more = "add --resume to go on, or " if CARD in held else ""
        raise OutputError(f"{out} is in use (it holds {held[0]}); {more}choose another --out")
    if held and CARD not in held:
        raise OutputError(f"{out} holds no charts to go on with (no {CARD}); choose another --out")
    check_no_links(out)


def _short(value: object) -> str:
    return "none" if value is None else cut(printable(str(value)), SHOWN + 1)
