"""The output of a frozen encoder for each image, kept on disk so that it is computed once and not in every epoch.

Where an adapter changes only the encoder's last blocks, the input of the first of them is kept.

A file is named by the hash of everything its content depends on: the image's bytes, the preprocessing, the base's
weights, the precision, the first block that is adapted, and whether the image is mirrored. Files are replaced as a
whole, so a killed writer leaves no half file under a valid name. A file holds a checksum of its content and its name:
one that is damaged, or that has the name of another, counts as missing and is written again.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from dentasam.errors import OutputError
from dentasam.files.atomic_write import DRAFT_SUFFIX, write_atomically
from dentasam.files.regular_file import check_regular
from dentasam.model.core.frame import PREPROCESSING
from dentasam.model.embedding import EncoderOutput, EncoderPrefix
from dentasam.training.samples.tensor_checksum import UNREADABLE, tensor_checksum

# A draft of this age was left by a killed writer; a younger one may be in use.
_STALE_SECONDS = 3600.0
Encoded = EncoderOutput | EncoderPrefix


class EmbeddingCache:
    """A folder of encoder outputs in half precision. Many processes may read and write it at once."""

    def __init__(self, folder: Path, base_sha256: str, precision: str = "fp32", stop: int | None = None) -> None:
        """A cache of the encoder's outputs or, with `stop`, of the inputs of its block or stage of that number.

        Raises OutputError where the folder cannot be created.
        """
        self.folder = Path(folder)
        self.stop = stop
        self._identity = f"{PREPROCESSING}|{base_sha256}|{precision}"
        if stop is not None:
            self._identity += f"|before {stop}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another cache.dir") from None
        self._remove_stale_drafts()

    def key(self, image_sha256: str, flipped: bool = False) -> str:
        """File stem of one image's output."""
        return hashlib.sha256(f"{self._identity}|{image_sha256}|{int(flipped)}".encode()).hexdigest()

    def load(self, key: str) -> Encoded | None:
        """The stored output in float16, or None where there is none or it is damaged."""
        path = self._path(key)
        try:
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                expected = (file.metadata() or {}).get("crc32")
                tensors = {name: file.get_tensor(name) for name in list(file.keys())}
            output = self._encoded(tensors)
        except UNREADABLE:
            return None
        # The checksum is of the bytes, whatever numbers they are taken for.
        if any(tensor.dtype != torch.float16 for tensor in tensors.values()):
            return None
        if expected != tensor_checksum(tensors, key):
            return None
        return output

    def store(self, key: str, output: Encoded) -> Encoded:
        """Write an output (1, ...), and return it as `load` would, so that the first epoch equals later ones."""
        tensors = {name: in_half_precision(part) for name, part in vars(output).items() if isinstance(part, Tensor)}
        content = save(tensors, {"crc32": tensor_checksum(tensors, key)})
        path = self._path(key)
        try:
            path.parent.mkdir(exist_ok=True)
            with write_atomically(path) as draft:
                draft.write_bytes(content)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); free space or set cache.dir") from None
        return self._encoded(tensors)

    def size(self) -> tuple[int, int]:
        """Number of stored outputs and their bytes together."""
        sizes = [path.stat().st_size for path in self.folder.glob("*/*.safetensors")]
        return len(sizes), sum(sizes)

    def _encoded(self, tensors: dict[str, Tensor]) -> Encoded:
        if self.stop is None:
            return EncoderOutput(tensors["features"], tensors["intermediate"])
        return EncoderPrefix(tensors["tokens"], tensors.get("intermediate"), self.stop)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def _remove_stale_drafts(self) -> None:
        for path in self.folder.glob(f"*/.*{DRAFT_SUFFIX}"):
            try:
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue


def in_half_precision(tensor: Tensor) -> Tensor:
    """A tensor as the cache stores it."""
    return tensor.detach().to("cpu", torch.float16).contiguous()
