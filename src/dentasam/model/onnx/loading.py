"""Opening a segmenter on ONNX Runtime: an exported folder, or a model that is exported once into a cache."""

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
from dentasam.model.adapters.folder import AdapterIdentity
from dentasam.model.adapters.segmenter_adapters import MergedAdapter
from dentasam.model.checkpoints.loading import ModelInfo
from dentasam.model.checkpoints.reading import file_of, sha256_of
from dentasam.model.checkpoints.registry import locate
from dentasam.model.onnx.export import FORMAT, OPSET, ExportCard, export_onnx, is_export, require
from dentasam.model.onnx.network import OnnxNetwork
from dentasam.model.segmenter import Segmenter, load_torch
from dentasam.version import __version__


def load_onnx(
    model: str | Path,
    adapter: str | Path | None = None,
    announce: Callable[[str], None] = lambda line: None,
    chart: str | Path | None = None,
) -> Segmenter:
    """A segmenter on ONNX Runtime from an exported folder, or from a model's name or checkpoint and an adapter.

    A model is exported into the cache the first time, and opened from there afterwards.
    announce: called with one line before the export. chart: folder of a chart head, as in `Segmenter`.
    Raises AdapterError where an exported folder is given an adapter, CheckpointError where the folder has no readable
    model or weights that are not finite, ExtraError without the packages for ONNX, and as `load_torch`.
    """
    if is_export(model):
        folder = Path(model)
        if adapter is not None:
            raise AdapterError(_has_one_adapter(ExportCard.read(folder), folder))
        network = OnnxNetwork(folder)
        card = network.card
        info = ModelInfo(card.base_model, card.kind, card.base_sha256, folder, card.int8)
        return _segmenter(network, info, None if card.adapter is None else card.adapter.name, chart)
    require("onnxruntime")
    name, path = locate(model)
    path = file_of(path)
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    network = OnnxNetwork(_cached_export(model, name, sha256, adapter, announce))
    # Name, file and adapter as they were given, so that another adapter can be used on the same base.
    info = ModelInfo(name, network.card.kind, sha256, path)
    return _segmenter(network, info, None if adapter is None else str(adapter), chart)


def cache_folder() -> Path:
    """The folder of models that were exported on demand; it may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dentasam" / "onnx"


def _segmenter(network: OnnxNetwork, info: ModelInfo, adapter: str | None, chart: str | Path | None) -> Segmenter:
    card = network.card
    adapters = MergedAdapter(adapter, _has_one_adapter(card, network.folder), card.adapter)
    return Segmenter(network, info, adapters, precision="fp32", sparse_upscaling=False, chart=chart)


def _cached_export(
    model: str | Path, name: str, sha256: str, adapter: str | Path | None, announce: Callable[[str], None]
) -> Path:
    """The folder of a model with an adapter in the cache, exported into it if it is missing."""
    merged = None if adapter is None else AdapterIdentity.of(adapter)
    folder = cache_folder() / _key(name, sha256, merged)
    if not is_export(folder):
        announce(f"exporting {name} to ONNX, once, into {folder}")
        _export_into(load_torch(model, adapter, device="cpu"), folder)
    return folder


def _key(name: str, sha256: str, adapter: AdapterIdentity | None) -> str:
    """The name of the folder for a base, an adapter and this version of the export."""
    depends = [sha256, adapter and asdict(adapter), FORMAT, OPSET, __version__]
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
    return f"{name}-{adapter.name if adapter else 'base'}-{digest[:16]}"


def _export_into(segmenter: Segmenter, folder: Path) -> None:
    """Export into a temporary folder and rename it: two commands that start at once leave one complete folder."""
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
        if not is_export(folder):  # another process may have written it meanwhile
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _has_one_adapter(card: ExportCard, folder: Path) -> str:
    held = f"the adapter {card.adapter.name}" if card.adapter else "no adapter"
    return f"{folder}: exported with {held} merged in; leave --adapter out, or export the model with another one"
