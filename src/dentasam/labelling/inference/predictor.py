"""Answers of the model for the page: masks from clicks and boxes, and masks that follow strokes of the brush.

Clicks are answered in the thread of their request and take no lock against the encoder: the model is only read,
and waiting for the encode in progress would cost up to a whole encode, where computing beside it costs a click
about a third of its time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dentasam.errors import PromptError
from dentasam.labelling.inference.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encode_queue import Encoder, Progress, use_threads
from dentasam.labelling.inference.hand_edits import (
    Click,
    clicks_of_stroke,
    difference,
    mask_logits,
    told_by_hand,
    uncontradicted,
    union,
    with_hand,
)
from dentasam.labelling.inference.served_model import Decoded, ModelIdentity, ObjectPrompt, ServedModel
from dentasam.labelling.inference.tidying import tidied
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_TIDY, Tidy
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.core.frame import Frame
from dentasam.model.core.full_resolution import full_mask
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.segmenter import Segmenter

# Logits of 27 x 64 tokens take 110 KB.
HELD_LOGITS = 256


@dataclass(frozen=True)
class PredictRequest:
    """One object: all its clicks, its box, the mask before the last click, and what the hand painted and erased.

    tidy: which small islands and holes of the answer go.
    """

    id: str
    clicks: Sequence[Click] = ()
    box: tuple[float, float, float, float] | None = None
    previous: BoxMask | None = None
    painted: BoxMask | None = None
    erased: BoxMask | None = None
    tidy: Tidy = DEFAULT_TIDY


@dataclass(frozen=True)
class RefineRequest:
    """One object: its mask before and after the strokes, all that the hand painted and erased, its clicks so far.

    tidy: which small islands and holes of the answer go; a hole where there was none goes whatever its size.
    """

    id: str
    before: BoxMask
    after: BoxMask
    painted: BoxMask | None = None
    erased: BoxMask | None = None
    clicks: Sequence[Click] = ()
    tidy: Tidy = DEFAULT_TIDY


@dataclass(frozen=True)
class PredictedObject:
    """score: the predicted IoU of the mask as the model made it, before the hand's pixels."""

    id: str
    mask: BoxMask
    score: float


@dataclass(frozen=True)
class RefinedObject(PredictedObject):
    """clicks: all that were given to the model, the old ones first."""

    clicks: tuple[Click, ...]


@dataclass(frozen=True)
class Seconds:
    """encode: waiting for the image's embedding, 0 where it was at hand. decode: all the rest."""

    encode: float
    decode: float


@dataclass(frozen=True)
class PredictReply:
    """picture: the hash of the image file that the masks were made from."""

    objects: tuple[PredictedObject, ...]
    model: ModelIdentity
    seconds: Seconds
    picture: str


@dataclass(frozen=True)
class RefineReply:
    """picture: as in PredictReply."""

    objects: tuple[RefinedObject, ...]
    model: ModelIdentity
    seconds: Seconds
    picture: str


@dataclass(frozen=True)
class _Remembered:
    picture: str
    mask: BoxMask
    logits: np.ndarray


class Inference:
    """The model, the embeddings and what is still to be encoded. Every method may be called from any thread."""

    def __init__(
        self,
        segmenter_loader: Callable[[], Segmenter],
        store: EmbeddingStore,
        images: Mapping[int, CaseImage],
        on_encoded: Callable[[int, float], None] = lambda case_id, value: None,
    ) -> None:
        self._encoder = Encoder(segmenter_loader, store, images, on_encoded)
        self._lock = threading.Lock()
        self._logits: OrderedDict[tuple[int, str], _Remembered] = OrderedDict()

    def start(self) -> None:
        """Begin to load the model and to encode; returns at once."""
        self._encoder.start()

    def stop(self) -> None:
        """End the encoding; who waits for an embedding gets a DentasamError."""
        self._encoder.stop()

    @property
    def model(self) -> ModelIdentity:
        """The model in use; an identity without a name until it is loaded."""
        return self._encoder.model

    def wait_for_model(self, timeout: float | None = None) -> ModelIdentity:
        """Wait until the model is loaded. Raises DentasamError where it cannot be, TimeoutError in time."""
        return self._encoder.wait_for_model(timeout)

    def use_adapter(self, name_or_dir: str | Path | None) -> ModelIdentity:
        """Serve another adapter on the same base, or the base alone. Raises AdapterError and then changes nothing."""
        identity = self._encoder.use_adapter(name_or_dir)
        with self._lock:
            self._logits.clear()
        return identity

    def add(self, case_id: int, image: CaseImage) -> None:
        """One more image of the worklist."""
        self._encoder.add(case_id, image)

    def picture(self, case_id: int) -> str:
        """The hash of what the case's file holds now. Raises KeyError for an unknown case, ImageError."""
        return self._encoder.picture(case_id)

    def open(self, case_id: int, following: Sequence[int] = ()) -> None:
        """Encode this case first, then those that follow. Raises KeyError for an unknown case."""
        self._encoder.open(case_id, following)

    def encoded(self, case_id: int) -> bool:
        """Whether a click on the case is answered without an encode."""
        return self._encoder.encoded(case_id)

    def progress(self) -> Progress:
        """How far the worklist is."""
        return self._encoder.progress()

    def predict(self, case_id: int, wanted: Sequence[PredictRequest]) -> PredictReply:
        """Masks of objects from their clicks and boxes; what the hand painted and erased stays.

        A case not yet encoded goes to the head of the queue and is waited for. Raises KeyError for an unknown
        case, PromptError for an object without a prompt or with one off the image, ImageError for an image that
        cannot be read, DentasamError where the model could not be loaded.
        """
        served, embedding, waited, picture = self._encoder.embedding(case_id)
        started = time.perf_counter()
        frame = embedding.frame
        prompts = []
        for given in wanted:
            _check(given.id, given.clicks, given.box, frame)
            logits = None
            if given.previous is not None:
                logits = self._logits_of((case_id, given.id), picture, given.previous, frame)
                logits = told_by_hand(logits, given.painted, given.erased, frame)
            prompts.append(ObjectPrompt(_rows(given.clicks), given.box, logits))
        objects = []
        for given, decoded in zip(wanted, self._decode(served, embedding, prompts), strict=True):
            hand = {"painted": given.painted, "erased": given.erased}
            mask = with_hand(BoxMask(*full_mask(decoded.logits, frame)).tight(), **hand)
            mask = tidied(mask, given.tidy, clicks=given.clicks, **hand)
            self._remember((case_id, given.id), _Remembered(picture, mask, decoded.logits))
            objects.append(PredictedObject(given.id, mask, decoded.score))
        return PredictReply(tuple(objects), served.identity, Seconds(waited, time.perf_counter() - started), picture)

    def refine(self, case_id: int, wanted: Sequence[RefineRequest]) -> RefineReply:
        """Masks that follow what strokes changed; the hand's pixels stay. Raises as `predict`.

        An object that no stroke changed and that has no click keeps its mask, with score 0.
        """
        served, embedding, waited, picture = self._encoder.embedding(case_id)
        started = time.perf_counter()
        frame = embedding.frame
        changes = [(difference(given.after, given.before), difference(given.before, given.after)) for given in wanted]
        clicks: list[list[Click]] = []
        prompts: dict[int, ObjectPrompt] = {}
        for index, (given, (missed, surplus)) in enumerate(zip(wanted, changes, strict=True)):
            _check_clicks(given.id, given.clicks, frame)
            kept = uncontradicted(given.clicks, given.after, (missed, surplus, given.painted, given.erased))
            clicks.append([*kept, *clicks_of_stroke(given.before, given.after, frame)])
            if clicks[index]:
                logits = self._logits_of((case_id, given.id), picture, given.before, frame)
                logits = told_by_hand(logits, missed, surplus, frame)
                prompts[index] = ObjectPrompt(_rows(clicks[index]), None, logits)
        answers = dict(zip(prompts, self._decode(served, embedding, list(prompts.values())), strict=True))
        objects = []
        for index, (given, (missed, surplus)) in enumerate(zip(wanted, changes, strict=True)):
            mask, score = given.after, 0.0
            if index in answers:
                decoded = answers[index]
                # The last strokes last: they stand even where the client has not added them to what was painted.
                mask = with_hand(BoxMask(*full_mask(decoded.logits, frame)).tight(), given.painted, given.erased)
                mask = with_hand(mask, missed, surplus)
                mask = tidied(
                    mask,
                    given.tidy,
                    clicks=clicks[index],
                    painted=union(given.painted, missed),
                    erased=union(given.erased, surplus),
                    filled=given.after,
                )
                score = decoded.score
                self._remember((case_id, given.id), _Remembered(picture, mask, decoded.logits))
            objects.append(RefinedObject(given.id, mask, score, tuple(clicks[index])))
        return RefineReply(tuple(objects), served.identity, Seconds(waited, time.perf_counter() - started), picture)

    def _decode(
        self, served: ServedModel, embedding: ImageEmbedding, prompts: Sequence[ObjectPrompt]
    ) -> list[Decoded]:
        use_threads(self._encoder.threads)
        return served.decode(embedding, prompts)

    def _remember(self, key: tuple[int, str], remembered: _Remembered) -> None:
        """Keep the logits behind a mask for the object's next click."""
        with self._lock:
            self._logits[key] = remembered
            self._logits.move_to_end(key)
            while len(self._logits) > HELD_LOGITS:
                self._logits.popitem(last=False)

    def _logits_of(self, key: tuple[int, str], picture: str, mask: BoxMask, frame: Frame) -> np.ndarray:
        """The model's own logits where it gave the mask last, for this picture, else logits for the mask."""
        with self._lock:
            remembered = self._logits.get(key)
        if remembered is not None and remembered.picture == picture and remembered.mask == mask:
            return remembered.logits
        return mask_logits(mask, frame)


def _rows(clicks: Sequence[Click]) -> np.ndarray:
    return np.array(clicks, np.float32).reshape(-1, 3)


def _check(
    object_id: str, clicks: Sequence[Click], box: tuple[float, float, float, float] | None, frame: Frame
) -> None:
    _check_clicks(object_id, clicks, frame)
    if not clicks and box is None:
        raise PromptError(f"object {object_id} has neither a click nor a box; give it one")
    if box is not None:
        x0, y0, x1, y1 = box
        inside = x0 < x1 and y0 < y1 and x0 < frame.width and y0 < frame.height and x1 > 0 and y1 > 0
        if not (np.isfinite(box).all() and inside):
            raise PromptError(f"object {object_id}: the box {x0:g},{y0:g},{x1:g},{y1:g} misses the image")


def _check_clicks(object_id: str, clicks: Sequence[Click], frame: Frame) -> None:
    for x, y, label in clicks:
        if not (0 <= x < frame.width and 0 <= y < frame.height):
            raise PromptError(f"object {object_id}: the click {x:g},{y:g} lies off the image")
        if label not in (0, 1):
            raise PromptError(f"object {object_id}: a click is 1 (positive) or 0 (negative), not {label}")
