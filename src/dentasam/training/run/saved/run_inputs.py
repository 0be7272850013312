"""What a run works on, by content: its base, the adapter it starts from, and its images with their objects.

`inputs.json` in the run's folder holds it, so that a run is resumed with the same. Names and folders may change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

from dentasam.data.dataset import Dataset
from dentasam.data.record import ImageRecord
from dentasam.data.spelling import canonical, portable
from dentasam.documents.json_document import read_json
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically
from dentasam.model.adapters.folder import AdapterIdentity

INPUTS = "inputs.json"


@dataclass(frozen=True)
class Input:
    """One of a run's inputs. name: of its file. about: its size in words. sha256: of its content."""

    name: str
    about: str
    sha256: str

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Input:
        """Images by file name, size in pixels and bytes, objects by category and segmentation, in their order.

        Pixels are not read, so that ten thousand radiographs take a second. The folders may be others.
        """
        digest = hashlib.sha256()
        for image in dataset.images:
            name = PurePosixPath(canonical(portable(image.file_name))).name
            digest.update(repr((image.id, name, image.width, image.height, _bytes_of(image))).encode())
            for item in image.objects:
                digest.update(repr((item.category, item.segmentation)).encode())
        return cls(dataset.path.name, f"{len(dataset.images)} images, {dataset.objects} objects", digest.hexdigest())

    @classmethod
    def of_adapter(cls, adapter: AdapterIdentity, head_sha256: str | None = None) -> Input:
        """An adapter by its weights and settings, and by its chart head where that is trained further."""
        parts = adapter.weights_sha256, adapter.settings_sha256, head_sha256 or ""
        return cls(adapter.name, "", hashlib.sha256(" ".join(parts).encode()).hexdigest())

    @property
    def shown(self) -> str:
        """The name with what tells two inputs of one name apart."""
        return f"{self.name} ({self.about + ', ' if self.about else ''}sha256 {self.sha256[:12]}…)"


@dataclass(frozen=True)
class RunInputs:
    """All inputs of a run; None for what it does not have."""

    base: Input
    adapter: Input | None = None
    training: Input | None = None
    validation: Input | None = None

    def write(self, out: Path) -> None:
        """Write inputs.json into the run's folder. Raises OSError."""
        with write_atomically(out / INPUTS) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, out: Path) -> RunInputs | None:
        """Those of the run in a folder; None where an earlier version began it. Raises OutputError."""
        path = out / INPUTS
        try:
            content = read_json(path)
            kinds = {kind: None if content[kind] is None else Input(**content[kind]) for kind in KINDS}
            texts = [getattr(one, part.name) for one in kinds.values() if one for part in fields(Input)]
            base = kinds["base"]
            if base is None or not all(isinstance(text, str) for text in texts):
                raise TypeError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError):
            raise OutputError(
                f"{path}: damaged; delete it to resume with the data, base and adapter that you give"
            ) from None
        return cls(base, kinds["adapter"], kinds["training"], kinds["validation"])

    def check_same(self, out: Path) -> None:
        """Raises OutputError where the run in the folder began with others, in a line that says which."""
        before = self.read(out)
        if before is None:
            return
        for kind, word in KINDS.items():
            old, new = getattr(before, kind), getattr(self, kind)
            if (old and old.sha256) != (new and new.sha256):
                raise OutputError(
                    f"{out}: the run there began with {word} {old.shown if old else 'none'}, not "
                    f"{new.shown if new else 'none'}; resume with the former, or choose another --out (with {word} "
                    f"changed on purpose, delete {out / INPUTS} to go on all the same)"
                )


KINDS = {
    "base": "the base model",
    "adapter": "the adapter",
    "training": "the training data",
    "validation": "the validation data",
}


def _bytes_of(image: ImageRecord) -> int:
    try:
        return image.path.stat().st_size
    except OSError:
        return -1  # reading it says what is wrong
