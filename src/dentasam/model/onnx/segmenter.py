"""The segmenter on ONNX Runtime: from an exported folder, or from a model that is exported once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from dentasam.errors import AdapterError, CheckpointError
from dentasam.model.checkpoints.loading import ModelInfo
from dentasam.model.checkpoints.reading import file_of, sha256_of
from dentasam.model.checkpoints.registry import locate
from dentasam.model.onnx.export import FORMAT, OPSET, ExportCard, MergedAdapter, export_onnx, is_export, require
from dentasam.model.onnx.network import OnnxNetwork
from dentasam.model.segmenter import Segmenter, load_torch
from dentasam.version import __version__


class OnnxSegmenter(Segmenter):
    """An exported model in a `Segmenter`'s place, with its one adapter merged in."""

    # `Segmenter` asks of its network what a `Network` has wherever no adapter is switched, which is refused here.
    model: OnnxNetwork  # type: ignore[assignment]

    def __init__(self, folder: str | Path) -> None:
        """Raises CheckpointError and ExtraError as `OnnxNetwork`."""
        self.model = OnnxNetwork(Path(folder))
        self.card = self.model.card
        self.device = self.model.device
        self.sparse_upscaling = False
        self.autocast = None
        self.info = ModelInfo(self.card.base_model, self.card.kind, self.card.base_sha256, self.model.folder)
        self.adapter = None if self.card.adapter is None else self.card.adapter.name

    def load_adapter(self, name_or_dir: str | Path) -> None:
        """Raises AdapterError: an exported model has the adapter that was merged into it."""
        raise AdapterError(_one_adapter(self.card, self.model.folder))

    def use_adapter(self, name_or_dir: str | Path | None) -> None:
        """Raises AdapterError for any adapter but the one that was merged in."""
        if (None if name_or_dir is None else str(name_or_dir)) != self.adapter:
            raise AdapterError(_one_adapter(self.card, self.model.folder))

    def merged(self) -> Segmenter:
        """Itself."""
        return self


def load_onnx(
    model: str | Path,
    adapter: str | Path | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> OnnxSegmenter:
    """A segmenter on ONNX Runtime from an exported folder, or from a model's name or checkpoint and an adapter.

    A model is exported once into the cache, which is told through `announce`; the next time it is opened from there.
    Raises AdapterError where an exported folder is given another adapter, and as `load_torch`.
    """
    if is_export(model):
        if adapter is not None:
            raise AdapterError(_one_adapter(ExportCard.read(Path(model)), Path(model)))
        return OnnxSegmenter(model)
    require("onnxruntime")
    name, path = locate(model)
    path = file_of(path)
    sha256 = sha256_of(path)
    merged = None if adapter is None else MergedAdapter.of(adapter)
    folder = cache_folder() / _key(name, sha256, merged)
    if not is_export(folder):
        announce(f"exporting {name} to ONNX, once, into {folder}")
        _export_into(load_torch(model, adapter, device="cpu"), folder)
    segmenter = OnnxSegmenter(folder)
    # As given, and where it came from, so that another adapter can be put on the same base.
    segmenter.adapter = None if adapter is None else str(adapter)
    segmenter.info = ModelInfo(name, segmenter.card.kind, sha256, path)
    return segmenter


def cache_folder() -> Path:
    """Where models that were exported on demand are kept; may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dentasam" / "onnx"


def _key(name: str, sha256: str, adapter: MergedAdapter | None) -> str:
    """A folder's name that stands for base, adapter and the export's version."""
    depends = [sha256, adapter and asdict(adapter), FORMAT, OPSET, __version__]
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
    return f"{name}-{adapter.name if adapter else 'base'}-{digest[:16]}"


def _export_into(segmenter: Segmenter, folder: Path) -> None:
    """Export aside and move into place: two commands that start at once leave one whole folder."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".exporting-", dir=folder.parent))
    except OSError as error:
        raise CheckpointError(
            f"{folder.parent}: cannot be written ({error.strerror}); set XDG_CACHE_HOME to another folder"
        ) from error
    try:
        export_onnx(segmenter, made)
        if not is_export(folder):
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(made, folder)
    except OSError:
        if not is_export(folder):  # another process was not faster either
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _one_adapter(card: ExportCard, folder: Path) -> str:
    held = f"the adapter {card.adapter.name}" if card.adapter else "no adapter"
    return f"{folder}: exported with {held} merged in; leave --adapter out, or export the model with another one"
