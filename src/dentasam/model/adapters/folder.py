"""The folder of an adapter: PEFT's two files and a card that says what the adapter was trained on.

adapter_config.json         PEFT: rank, layers, ...
adapter_model.safetensors   PEFT: the weights, in half precision
dentasam.json               AdapterCard: base model and its hash, scope, recipe, data, scores
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_json
from dentasam.errors import AdapterError
from dentasam.model.checkpoints.reading import sha256_of
from dentasam.version import __version__

CARD, CONFIG, WEIGHTS = "dentasam.json", "adapter_config.json", "adapter_model.safetensors"
BUNDLED = Path(__file__).parents[2] / "assets" / "adapters"
# PEFT writes the keys of a wrapped model, so that `PeftModel.from_pretrained` finds them.
KEY_PREFIX = "base_model.model."


@dataclass(frozen=True)
class AdapterCard:
    """What an adapter is.

    base_sha256 is the hash of the base's checkpoint file; scope one of `SCOPES`; scores takes any metric.
    """

    base_model: str
    base_sha256: str
    scope: str
    recipe: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    dentasam: str = __version__

    @classmethod
    def read(cls, directory: Path) -> AdapterCard:
        """Read the card of an adapter's folder. Raises AdapterError."""
        content = json_object(directory / CARD)
        types = {f.name: dict if f.name in ("recipe", "scores") else str for f in fields(cls)}
        wrong = [name for name, kind in types.items() if not isinstance(content.get(name), kind)]
        if wrong:
            raise AdapterError(f"{directory / CARD}: {', '.join(wrong)} missing or of another type; save it again")
        return cls(**{name: content[name] for name in types})


@dataclass(frozen=True)
class AdapterIdentity:
    """Which adapter this is: its name, and the hashes of its weights and of its configuration.

    Rank and alpha are in the configuration, so the same weights may be another adapter.
    """

    name: str
    weights_sha256: str
    settings_sha256: str

    @classmethod
    def of(cls, source: str | Path) -> AdapterIdentity:
        """The identity of an adapter's folder or of a bundled adapter. Raises AdapterError."""
        folder = find_adapter(source)
        return cls(folder.name, sha256_of(folder / WEIGHTS), sha256_of(folder / CONFIG))


def find_adapter(source: str | Path) -> Path:
    """The folder of an adapter: a path, or the name of a bundled adapter. Raises AdapterError."""
    path = Path(source)
    if not path.exists() and str(source) in bundled_adapters():
        path = BUNDLED / str(source)
    if not path.exists():
        bundled = ", ".join(bundled_adapters()) or "none"
        raise AdapterError(f"{source}: no such adapter folder, nor a bundled adapter (bundled: {bundled})")
    if not path.is_dir():
        raise AdapterError(f"{source}: a file; an adapter is the folder with {CONFIG}, {WEIGHTS} and {CARD}")
    missing = [file for file in (CONFIG, WEIGHTS, CARD) if not (path / file).is_file()]
    if missing:
        raise AdapterError(f"{source}: not a complete adapter, {', '.join(missing)} missing; give the saved folder")
    return path


def bundled_adapters() -> list[str]:
    """Names of the adapters that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CARD}"))


def json_object(path: Path) -> dict[str, Any]:
    """The content of a file with a JSON object. Raises AdapterError."""
    try:
        content = read_json(path)
    except (OSError, DocumentError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AdapterError(f"{path}: not readable as JSON ({reason}); save the adapter again") from error
    if not isinstance(content, dict):
        raise AdapterError(f"{path}: not a JSON object; save the adapter again")
    return content
