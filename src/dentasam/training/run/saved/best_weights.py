"""The best weights of a run on disk, and whether they are still those that were saved."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError, safe_open

from dentasam.errors import AdapterError
from dentasam.files.regular_file import open_regular
from dentasam.model.adapters.folder import CONFIG, WEIGHTS, AdapterCard

ADAPTER, MODEL = "adapter", "model.safetensors"


class BestWeights:
    """path: the adapter's folder in the run's, or the model's file for full training."""

    def __init__(self, out: Path, full: bool) -> None:
        self.path = out / (MODEL if full else ADAPTER)
        self._full = full

    @property
    def _files(self) -> list[Path]:
        return [self.path] if self._full else [self.path / CONFIG, self.path / WEIGHTS]

    def sha256(self) -> str | None:
        """The hash of the weights, with an adapter's rank and alpha; None where they are missing or unreadable."""
        digest = hashlib.sha256()
        try:
            if not self._full:
                AdapterCard.read(self.path)
            for file in self._files:
                with open_regular(file) as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
        except (OSError, AdapterError):
            return None
        return digest.hexdigest()

    def fit(self, saved: str | None) -> bool:
        """Whether they have the hash that they were saved with; None: of an earlier version, which kept no hash."""
        found = self.sha256()
        if saved is not None or found is None:
            return found is not None and found == saved
        try:
            with safe_open(self._files[-1], framework="pt"):
                return True
        except (OSError, SafetensorError):
            return False

    def are_of_a_step_after(self, step: int) -> bool:
        """Whether an adapter is from a step after this one, as where a run was killed before its next checkpoint."""
        if self._full:
            return False
        try:
            found = AdapterCard.read(self.path).scores.get("step")
        except AdapterError:
            return False
        return isinstance(found, int) and found > step
