"""A model as two ONNX files and a card, to run without torch's network and on other runtimes.

    encoder.onnx   pixels (B, 3, 16 rows, 16 cols), place -> features, hq
    decoder.onnx   features, hq, place, image, points, labels, previous, has_previous
                   -> logits, scores, choices, choice_scores
    dentasam.json  which base, which adapter is merged in, and how the encoder computes
    chart.*        the adapter's chart head as it is, where it has one; it runs on torch

One file serves whole images of every shape, object windows, and any number of objects and clicks: images, rows, cols,
objects and prompts are free dimensions. `graphs.py` says what the inputs mean.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dentasam.documents.json_document import read_json
from dentasam.documents.shown import MAX_REASON, shown, without_middle
from dentasam.errors import CheckpointError, ExtraError
from dentasam.files.atomic_write import write_atomically
from dentasam.model.adapters.folder import AdapterIdentity
from dentasam.model.core.frame import LOGIT_STRIDE, PATCH
from dentasam.model.decoder.prompt_encoder import GRID
from dentasam.model.onnx.graphs import FIRST_CORNER, NO_BOX, SECOND_CORNER, DecoderGraph, EncoderGraph
from dentasam.model.sam_hq import SamHQ
from dentasam.model.segmenter import Segmenter
from dentasam.version import __version__

ENCODER, DECODER, CARD = "encoder.onnx", "decoder.onnx", "dentasam.json"
OPSET = 18
# Raise this when the graphs' inputs or outputs change, or what they compute.
FORMAT = 2
# Format 1 is still opened: one whole image at a time, without `place`, `image` and the choices.
WHOLE_IMAGES_ALONE = 1
PIXELS, PLACE = "pixels", "place"
EMBEDDING = ("features", "hq")
PROMPTS = ("image", "points", "labels", "previous", "has_previous")
ANSWER, CHOICES = ("logits", "scores"), ("choices", "choice_scores")
# Sizes that are not multiples of each other, so that the tracer does not take two free dimensions for one.
_IMAGES, _ROWS, _COLS, _OBJECTS = 7, 9, 20, 3


@dataclass(frozen=True)
class ExportCard:
    """What an exported model is.

    base_model, base_sha256: of the checkpoint. adapter: what was merged into it. kind: the encoder, of `ENCODERS`.
    int8: how the encoder was quantised, "dynamic" or "static", or None.
    """

    base_model: str
    base_sha256: str
    kind: str
    adapter: AdapterIdentity | None = None
    int8: str | None = None
    opset: int = OPSET
    format: int = FORMAT
    dentasam: str = __version__

    @classmethod
    def read(cls, folder: Path) -> ExportCard:
        """Read the card of an exported model's folder. Raises CheckpointError."""
        path = folder / CARD
        try:
            content: dict[str, Any] = read_json(path)
            card = cls(**{field.name: content[field.name] for field in fields(cls)})
            if card.adapter is not None:
                card = replace(card, adapter=AdapterIdentity(**content["adapter"]))
            texts = [
                card.base_model,
                card.base_sha256,
                card.kind,
                *(asdict(card.adapter).values() if card.adapter else ()),
            ]
            if not all(isinstance(text, str) for text in texts) or type(card.format) is not int:
                raise TypeError("a value of another type")
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = without_middle(str(error), MAX_REASON)
            raise CheckpointError(f"{path}: not the card of an exported model ({reason}); export it again") from error
        if card.format not in (FORMAT, WHOLE_IMAGES_ALONE):
            other = shown(card.format)
            raise CheckpointError(f"{path}: of another version's format ({other}); export the model again")
        return card

    @property
    def windows(self) -> bool:
        """Whether the graphs take object windows and give choices."""
        return self.format != WHOLE_IMAGES_ALONE

    def write(self, folder: Path) -> None:
        """Write the card beside the graphs, complete or not at all."""
        with write_atomically(folder / CARD) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def is_export(path: str | Path) -> bool:
    """Whether this is the folder of an exported model."""
    return all((Path(path) / name).is_file() for name in (ENCODER, DECODER, CARD))


def export_onnx(segmenter: Segmenter, folder: Path) -> ExportCard:
    """Write a segmenter's model, with the adapter in use merged in, into `folder`, which is made if it is missing.

    Takes some 30 seconds of processor time for the smallest encoder. Raises AdapterError where the adapter cannot
    be merged, CheckpointError where the model is an exported one or the folder cannot be written, ExtraError without
    the packages for the export.
    """
    require("onnx", "onnxscript")
    info = segmenter.info
    card = ExportCard(info.name, info.sha256, info.kind, segmenter.adapters.identity())
    model = segmenter.merged().model
    if not isinstance(model, SamHQ):
        raise CheckpointError(f"{info.path}: an exported model; export from the checkpoint")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=folder) as made:
            export_graphs(model, Path(made))
            # A graph above 2 GB has its weights in separate files beside it.
            for file in Path(made).iterdir():
                os.replace(file, folder / file.name)
        segmenter.copy_chart(folder)
        card.write(folder)  # last: a folder with a card is complete
    except OSError as error:
        raise CheckpointError(
            f"{folder}: cannot be written ({error.strerror}); check the folder and the free space"
        ) from error
    return card


def export_graphs(model: SamHQ, folder: Path) -> None:
    """Write the two graphs of a network without adapters."""
    _export_encoder(model, folder / ENCODER)
    _export_decoder(model, folder / DECODER)


def require(*packages: str) -> None:
    """Raises ExtraError where a package of the extra `onnx` is not installed."""
    for package in packages:
        try:
            __import__(package)
        except ImportError:
            raise ExtraError(f"ONNX needs the package {package}; pip install 'dentasam[onnx]'") from None


def _export_encoder(model: SamHQ, path: Path) -> None:
    rows, cols = (torch.export.Dim(name, min=1, max=GRID) for name in ("rows", "cols"))
    pixels = torch.zeros(_IMAGES, 3, PATCH * _ROWS, PATCH * _COLS, device=model.device)
    place = torch.zeros(2, dtype=torch.long, device=model.device)
    free: dict[int, Any] = {0: torch.export.Dim("images", min=1), 2: PATCH * rows, 3: PATCH * cols}
    _export(EncoderGraph(model), (pixels, place), (PIXELS, PLACE), EMBEDDING, (free, {}), path)


def _export_decoder(model: SamHQ, path: Path) -> None:
    rows, cols = (torch.export.Dim(name, min=1, max=GRID) for name in ("rows", "cols"))
    images, objects, prompts = (torch.export.Dim(name, min=1) for name in ("images", "objects", "prompts"))
    high, wide = LOGIT_STRIDE * _ROWS, LOGIT_STRIDE * _COLS
    labels = torch.tensor([[1, FIRST_CORNER, SECOND_CORNER, 0], [1, 1, 0, NO_BOX], [0, 0, 1, NO_BOX]])
    inputs = (
        torch.zeros(_IMAGES, 256, _ROWS, _COLS),
        torch.zeros(_IMAGES, 32, high, wide),
        torch.zeros(2, dtype=torch.long),
        torch.zeros(_OBJECTS, dtype=torch.long),
        torch.zeros(*labels.shape, 2),
        labels,
        torch.zeros(_OBJECTS, high, wide),
        torch.tensor([True, False, True]),
    )
    shapes: tuple[dict[int, Any], ...] = (
        {0: images, 2: rows, 3: cols},
        {0: images, 2: LOGIT_STRIDE * rows, 3: LOGIT_STRIDE * cols},
        {},
        {0: objects},
        {0: objects, 1: prompts},
        {0: objects, 1: prompts},
        {0: objects, 1: LOGIT_STRIDE * rows, 2: LOGIT_STRIDE * cols},
        {0: objects},
    )
    on_device = tuple(tensor.to(model.device) for tensor in inputs)
    _export(DecoderGraph(model), on_device, (*EMBEDDING, PLACE, *PROMPTS), (*ANSWER, *CHOICES), shapes, path)


def _export(
    graph: nn.Module,
    inputs: tuple[Tensor, ...],
    names: tuple[str, ...],
    outputs: tuple[str, ...],
    free: tuple[dict[int, Any], ...],
    path: Path,
) -> None:
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_shapes=free,
            verbose=False,
        )
        assert program is not None
        program.save(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's lines about torchvision, which is not used, and about its names for dimensions."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
