"""Models that have a name: the bundled one, and the official SAM-HQ checkpoints, fetched only on request."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dentasam.errors import CheckpointError

BUNDLED = "dentasam-tiny"
OFFICIAL_REPOSITORY = "lkeab/hq-sam"
OFFICIAL_FILES = {
    "sam-hq-vit-tiny": "sam_hq_vit_tiny.pth",
    "sam-hq-vit-b": "sam_hq_vit_b.pth",
    "sam-hq-vit-l": "sam_hq_vit_l.pth",
    "sam-hq-vit-h": "sam_hq_vit_h.pth",
}
NAMES = (BUNDLED, *OFFICIAL_FILES)


@dataclass(frozen=True)
class Entry:
    """A named model. path: its file on this machine, or None if it has not been fetched."""

    name: str
    origin: str
    path: Path | None


def entries() -> list[Entry]:
    """All models that have a name, the bundled one first."""
    return [entry(name) for name in NAMES]


def entry(name: str) -> Entry:
    """The entry of a name, without a request to the network.

    Raises:
        CheckpointError: there is no model of that name.
    """
    if name == BUNDLED:
        path = Path(str(resources.files("dentasam"))) / "assets" / f"{BUNDLED}.safetensors"
        return Entry(name, "bundled", path if path.is_file() else None)
    if name in OFFICIAL_FILES:
        return Entry(name, f"{OFFICIAL_REPOSITORY}: {OFFICIAL_FILES[name]}", _cached(OFFICIAL_FILES[name]))
    raise CheckpointError(f"{name}: no model of that name; known are {', '.join(NAMES)}")


def locate(name_or_path: str | Path) -> tuple[str, Path]:
    """The model's name and its file (or folder). A name of the registry wins over a file of that name.

    Raises:
        CheckpointError: neither a known name nor an existing path, or a known model that is not on this machine yet.
    """
    name = str(name_or_path)
    if name not in NAMES:
        path = Path(name_or_path).expanduser()
        if path.exists():
            return path.stem, path
        raise CheckpointError(
            f"{name}: neither a file nor a known model; give a checkpoint's path or one of {', '.join(NAMES)}"
        )
    found = entry(name)
    if found.path is not None:
        return name, found.path
    if name == BUNDLED:
        raise CheckpointError(f"{name}: its file is missing from this installation; install dentasam again")
    raise CheckpointError(f"{name}: not on this machine yet; run `dentasam models fetch {name}`")


def fetch(name: str) -> Path:
    """Download an official model into the Hugging Face cache, or return it from there.

    huggingface_hub resumes an interrupted download and checks the file before it becomes visible.

    Raises:
        CheckpointError: an unknown name, or the download failed.
    """
    found = entry(name)
    if found.path is not None:
        return found.path
    if name == BUNDLED:
        raise CheckpointError(f"{name}: its file is missing from this installation; install dentasam again")
    from huggingface_hub import hf_hub_download

    file = OFFICIAL_FILES[name]
    try:
        return Path(hf_hub_download(OFFICIAL_REPOSITORY, file))
    # huggingface_hub raises its own errors, its HTTP library's and OSError, a different set in each release.
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{name}: {file} could not be fetched from {OFFICIAL_REPOSITORY} ({reason}); "
            "check the network, or give the path of a copy as the model"
        ) from error


def _cached(file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(OFFICIAL_REPOSITORY, file)
    return Path(found) if isinstance(found, str) else None
