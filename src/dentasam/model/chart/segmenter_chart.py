"""The chart head of a segmenter: found beside the adapter in use, or given, and read when it is first needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dentasam.errors import AdapterError, ChartError
from dentasam.files.whole_file import copy_whole
from dentasam.model.adapters.folder import find_adapter
from dentasam.model.chart.head import CARD, WEIGHTS, ChartHead, has_head, load_head, refusal
from dentasam.model.checkpoints.reading import sha256_of

if TYPE_CHECKING:
    from dentasam.model.adapters.segmenter_adapters import AdapterSwitch
    from dentasam.model.checkpoints.loading import ModelInfo


class SegmenterChart:
    """Which head there is for a model and the adapter in use. A head is kept once it is read.

    The head of an exported model lies in its folder, any other in the adapter's. A folder that is given comes first.
    """

    def __init__(self, info: ModelInfo, adapters: AdapterSwitch, folder: Path | None = None) -> None:
        self._info, self._adapters, self._given = info, adapters, folder
        self._kept: tuple[Path, str, ChartHead] | None = None
        self._hash: tuple[tuple[Path, int], str] | None = None

    def folder(self) -> Path | None:
        """The folder of the head for the adapter in use; None where there is none."""
        if self._given is not None:
            return self._given if has_head(self._given) else None
        if self._info.path.is_dir():
            return self._info.path if has_head(self._info.path) else None
        if self._adapters.in_use is None:
            return None
        try:
            folder = find_adapter(self._adapters.in_use)
        except AdapterError:
            return None
        return folder if has_head(folder) else None

    def copy(self, folder: Path) -> None:
        """Copy the head for the adapter in use, where there is one, into the folder of an exported model.

        Raises ChartError where it is of another model, OSError where it cannot be written.
        """
        own = self.folder()
        if own is None:
            return
        self.head(torch.device("cpu"))
        for name in (WEIGHTS, CARD):
            copy_whole(own / name, folder / name)

    def sha256(self) -> str | None:
        """The hash of the head's weights; None where there is none. Charts of another head may differ."""
        folder = self.folder()
        if folder is None:
            return None
        stamp = folder, (folder / WEIGHTS).stat().st_mtime_ns
        if self._hash is None or self._hash[0] != stamp:
            self._hash = stamp, sha256_of(folder / WEIGHTS)
        return self._hash[1]

    def head(self, device: torch.device) -> ChartHead:
        """The head for the adapter in use. Raises ChartError where there is none or it is of another model."""
        folder = self.folder()
        if folder is None:
            named = f"the adapter {self._adapters.in_use}" if self._adapters.in_use else f"{self._info.name} alone"
            named = named if self._given is None else str(self._given)
            raise ChartError(
                f"{named}: has no chart head ({WEIGHTS}, {CARD}); choose an adapter with one, such as "
                "panoramic-teeth, or train one with dentasam train --recipe chart"
            )
        adapter = self._adapters.identity()
        hashes = (adapter.weights_sha256, adapter.settings_sha256) if adapter else (None, None)
        key = f"{self._info.sha256} {hashes} {device} {(folder / WEIGHTS).stat().st_mtime_ns}"
        if self._kept is not None and self._kept[:2] == (folder, key):
            return self._kept[2]
        head, card = load_head(folder)
        refused = refusal(folder, card, self._info.sha256, *hashes)
        if refused is not None:
            raise ChartError(refused)
        head = head.to(device)
        self._kept = folder, key, head
        return head
