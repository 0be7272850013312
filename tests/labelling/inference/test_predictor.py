import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dentasam.data.phantom import PhantomObject, generate
from dentasam.errors import PromptError
from dentasam.labelling.inference.answer_memory import AnswerMemory
from dentasam.labelling.inference.encoding.case_encoder import CaseEncoder
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.hand_edits import HAND_LOGIT, mask_logits
from dentasam.labelling.inference.predictor import Predictor
from dentasam.labelling.inference.replies import PredictReply
from dentasam.labelling.inference.requests import PredictObject, RefineObject
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.windowed_image import WindowedImage
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre

from ..conftest import case_images

HEIGHT, WIDTH = 384, 1024
CASE = 7
# Fewer than a server remembers, and more than a test here needs.
MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Bench:
    """A predictor whose one case is a phantom, the plain segmenter beside it, and the phantom's teeth."""

    predictor: Predictor
    queue: EncodeQueue
    memory: AnswerMemory
    segmenter: Segmenter
    embedding: ImageEmbedding
    teeth: list[np.ndarray]

    def click(self, tooth: int) -> tuple[float, float, int]:
        x, y = interior_centre(self.teeth[tooth][None])[0]
        return float(x), float(y), 1


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Decodes on the whole image, where an answer is that of `Segmenter.predict`."""
    yield from _bench(tmp_path_factory.mktemp("inference"), windows=False)


@pytest.fixture(scope="module")
def zoomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Decodes in object windows, as a server does unless it is told not to."""
    yield from _bench(tmp_path_factory.mktemp("zoomed"), windows=True)


def _bench(folder: Path, *, windows: bool) -> Iterator[Bench]:
    phantom = generate(905, width=WIDTH, height=HEIGHT)
    Image.fromarray(phantom.image).save(folder / "phantom.png")
    segmenter = load("dentasam-tiny", device="cpu")
    store, paths = EmbeddingStore(folder / "embeddings"), {CASE: folder / "phantom.png"}
    queue = started(lambda: segmenter, store, paths, windows)
    memory = AnswerMemory(MAX_BYTES)
    teeth = [one.mask for one in _teeth(phantom.objects)]
    yield Bench(Predictor(queue, memory), queue, memory, segmenter, queue.embedding(CASE).embedding, teeth)
    queue.stop()


def started(
    loader: Callable[[], Segmenter], store: EmbeddingStore, paths: dict[int, Path], windows: bool = False
) -> EncodeQueue:
    queue = EncodeQueue(loader, CaseEncoder(store), case_images(paths), windows=windows)
    queue.start()
    return queue


def _teeth(objects: Sequence[PhantomObject]) -> list[PhantomObject]:
    return [one for one in objects if one.category.isdigit()][:12]


Asked = list[ObjectPrompt]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the model was asked, in order."""
    seen: Asked = []
    decode = ServedModel.decode

    def spy(self: ServedModel, image: WindowedImage, wanted: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
        seen.extend(wanted)
        return decode(self, image, wanted)

    monkeypatch.setattr(ServedModel, "decode", spy)
    return seen


def fed_back(asked: Asked) -> np.ndarray:
    """The logits that the last decode was given."""
    previous = asked[-1].previous
    assert previous is not None
    return previous.logits


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def test_a_click_gives_the_segmenters_mask_and_score(bench: Bench) -> None:
    clicks = [bench.click(index) for index in range(3)]
    reply = bench.predictor.predict(CASE, [PredictObject(str(i), [click]) for i, click in enumerate(clicks)])
    points = np.array([[click[:2]] for click in clicks], np.float32)
    expected = bench.segmenter.predict(bench.embedding, points, np.ones((3, 1), np.int64))
    assert [found.id for found in reply.objects] == ["0", "1", "2"]
    for found, mask, score in zip(reply.objects, expected.masks, expected.scores, strict=True):
        assert np.array_equal(found.mask.on_image(HEIGHT, WIDTH), mask)
        assert found.score == pytest.approx(float(score), abs=1e-5)
    assert dice(expected.masks[0], bench.teeth[0]) > 0.5
    assert {found.answered_by for found in reply.objects} == {"whole"}
    assert reply.model == bench.queue.model
    assert reply.seconds.encode == 0
    assert reply.seconds.decode > 0


def test_boxes_alone_are_enough(bench: Bench) -> None:
    requests = []
    for index, tooth in enumerate(bench.teeth):
        rows, columns = np.nonzero(tooth)
        box = (float(columns.min() - 3), float(rows.min() - 3), float(columns.max() + 4), float(rows.max() + 4))
        requests.append(PredictObject(f"box {index}", box=box))
    found = bench.predictor.predict(CASE, requests).objects
    scores = [dice(one.mask.on_image(HEIGHT, WIDTH), tooth) for one, tooth in zip(found, bench.teeth, strict=True)]
    assert np.mean(scores) > 0.7
    assert min(scores) > 0.3


def test_logits_are_fed_back_where_the_mask_is_the_one_given_last(bench: Bench, asked: Asked) -> None:
    click = bench.click(2)
    (first,) = bench.predictor.predict(CASE, [PredictObject("fed", [click])]).objects
    assert asked[-1].previous is None
    wide = BoxMask(0, 0, first.mask.on_image(HEIGHT, WIDTH))  # the same pixels in another box
    more = [click, (click[0], 8.0, 0)]  # where the model says no anyway, so that nothing is repaired
    (second,) = bench.predictor.predict(CASE, [PredictObject("fed", more, previous=wide)]).objects
    fed = fed_back(asked)
    points = np.array([[click[:2]]], np.float32)
    expected = bench.segmenter.predict(bench.embedding, points, np.ones((1, 1), np.int64)).logits[0]
    np.testing.assert_allclose(fed, expected, atol=1e-4)
    again = bench.segmenter.predict(
        bench.embedding, np.array([more])[..., :2], np.array([[1, 0]]), logits=expected[None]
    )
    np.testing.assert_array_equal(second.mask.on_image(HEIGHT, WIDTH), again.masks[0])


def test_another_mask_or_another_object_gets_logits_of_the_mask(bench: Bench, asked: Asked) -> None:
    click = bench.click(3)
    (first,) = bench.predictor.predict(CASE, [PredictObject("one", [click])]).objects
    changed = first.mask.on_image(HEIGHT, WIDTH)
    changed[:40, :40] = True
    for name, previous in (("one", BoxMask.from_mask(changed)), ("other", first.mask)):
        bench.predictor.predict(CASE, [PredictObject(name, [click], previous=previous)])
        fed = fed_back(asked)
        assert np.array_equal(fed, mask_logits(previous, bench.embedding.frame))


def test_remembered_logits_are_bounded(bench: Bench) -> None:
    click = bench.click(0)
    for index in range(60):
        request = PredictObject(f"many {index}", box=(10, 10, 60, 60))
        bench.predictor.predict(CASE, [request, PredictObject("kept", [click])])
    reply = bench.predictor.predict(CASE, [PredictObject("newest", [click])])
    assert bench.memory.bytes_held <= MAX_BYTES
    for name in ("kept", "newest"):
        assert bench.memory.get(CASE, name, reply.picture, reply.objects[0].mask) is not None
    assert bench.memory.get(CASE, "many 0", reply.picture, reply.objects[0].mask) is None


def test_painted_and_erased_pixels_stay(bench: Bench, asked: Asked) -> None:
    click = bench.click(4)
    (plain,) = bench.predictor.predict(CASE, [PredictObject("hand", [click])]).objects
    painted, erased = (
        BoxMask(5, 5, np.ones((9, 30), bool)),
        BoxMask(int(click[0]) - 4, int(click[1]) - 4, np.ones((8, 8), bool)),
    )
    request = PredictObject("hand", [click], None, plain.mask, painted, erased)
    (found,) = bench.predictor.predict(CASE, [request]).objects
    mask = found.mask.on_image(HEIGHT, WIDTH)
    assert mask[painted.on_image(HEIGHT, WIDTH)].all()
    assert not mask[erased.on_image(HEIGHT, WIDTH)].any()
    fed = fed_back(asked)
    x, y = (int(value * bench.embedding.frame.scale / 4) for value in click[:2])
    assert fed[y, x] == -HAND_LOGIT
    # The mask with the hand in it is what the page has now, and what the next click follows.
    bench.predictor.predict(CASE, [PredictObject("hand", [click], None, found.mask)])
    assert not np.array_equal(fed_back(asked), mask_logits(found.mask, bench.embedding.frame))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (PredictObject("a"), "neither a click nor a box"),
        (PredictObject("a", [(-1.0, 5.0, 1)]), "lies off the image"),
        (PredictObject("a", [(5.0, HEIGHT, 1)]), "lies off the image"),
        (PredictObject("a", [(float("nan"), 5.0, 1)]), "lies off the image"),
        (PredictObject("a", [(5.0, 5.0, 2)]), "positive"),
        (PredictObject("a", box=(10, 10, 10, 20)), "misses the image"),
        (PredictObject("a", box=(WIDTH, 0, WIDTH + 9, 20)), "misses the image"),
        (PredictObject("a", box=(0, 0, float("inf"), 20)), "misses the image"),
    ],
)
def test_prompts_off_the_image_are_refused(bench: Bench, request_: PredictObject, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        bench.predictor.predict(CASE, [request_])


def test_an_unknown_case_is_refused(bench: Bench) -> None:
    with pytest.raises(KeyError):
        bench.predictor.predict(99, [PredictObject("a", [(1.0, 1.0, 1)])])


def stroked(mask: np.ndarray, truth: np.ndarray, seed: int) -> np.ndarray:
    """Two sloppy strokes of a round brush where the mask is most wrong, two pixels over the truth's edge at times."""
    rng, after = np.random.default_rng(seed), mask.copy()
    near, inner = (operation(truth.astype(np.uint8), np.ones((5, 5))) > 0 for operation in (cv2.dilate, cv2.erode))
    for _ in range(2):
        wrong = correction_clicks(after[None], truth[None])
        if not wrong.found[0]:
            break
        brush = np.zeros(truth.shape, np.uint8)
        for _ in range(3):
            x, y = (wrong.points[0] + rng.normal(0, 4, 2)).astype(int)
            cv2.circle(brush, (int(x), int(y)), 6, 1, -1)
        touched = brush > 0
        after = after | (touched & near) if wrong.labels[0] else after & ~(touched & ~inner)
    return after


def test_refined_masks_are_better_than_before_the_strokes_and_keep_the_hands_pixels(zoomed: Bench) -> None:
    clicks = [zoomed.click(index) for index in range(len(zoomed.teeth))]
    given = zoomed.predictor.predict(CASE, [PredictObject(f"r{i}", [click]) for i, click in enumerate(clicks)])
    before = [found.mask.on_image(HEIGHT, WIDTH) for found in given.objects]
    after = [stroked(mask, truth, i) for i, (mask, truth) in enumerate(zip(before, zoomed.teeth, strict=True))]
    reply = zoomed.predictor.refine(
        CASE,
        [
            RefineObject(
                f"r{i}",
                BoxMask.from_mask(before[i]),
                BoxMask.from_mask(after[i]),
                BoxMask.from_mask(after[i] & ~before[i]),
                BoxMask.from_mask(before[i] & ~after[i]),
                [click],
            )
            for i, click in enumerate(clicks)
        ],
    )
    refined = [found.mask.on_image(HEIGHT, WIDTH) for found in reply.objects]
    for i, found in enumerate(reply.objects):
        changed = before[i] != after[i]
        assert np.array_equal(refined[i][changed], after[i][changed])
        new = [click for click in found.clicks if click != clicks[i]]
        assert len(new) <= 3
        assert all(changed[int(y), int(x)] and after[i][int(y), int(x)] == label for x, y, label in new)
    scores = [
        np.mean([dice(a, b) for a, b in zip(masks, zoomed.teeth, strict=True)]) for masks in (before, after, refined)
    ]
    # What a sloppy brush leaves right is hard to better; it must never be spoilt.
    assert scores[0] + 0.02 < scores[2], scores
    assert scores[1] - 0.01 < scores[2], scores


def test_a_stroke_alone_makes_an_object_without_clicks(bench: Bench) -> None:
    truth = bench.teeth[5]
    x, y, _ = bench.click(5)
    stroke = np.zeros_like(truth, np.uint8)
    cv2.circle(stroke, (int(x), int(y)), 8, 1, -1)
    painted = BoxMask.from_mask((stroke > 0) & truth)
    (found,) = bench.predictor.refine(CASE, [RefineObject("new", BoxMask.empty(), painted)]).objects
    assert [label for _, _, label in found.clicks] == [1]
    mask = found.mask.on_image(HEIGHT, WIDTH)
    assert mask[painted.on_image(HEIGHT, WIDTH)].all()
    assert dice(mask, truth) > dice(painted.on_image(HEIGHT, WIDTH), truth)


def test_a_click_that_the_stroke_contradicts_is_dropped(bench: Bench) -> None:
    x, y, _ = bench.click(6)
    (given,) = bench.predictor.predict(CASE, [PredictObject("drop", [(x, y, 1)])]).objects
    hole = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(hole, (int(x), int(y)), 5, 1, -1)
    after = given.mask.on_image(HEIGHT, WIDTH) & ~(hole > 0)
    far = (5.0, 5.0, 0)
    (found,) = bench.predictor.refine(
        CASE, [RefineObject("drop", given.mask, BoxMask.from_mask(after), clicks=[(x, y, 1), far])]
    ).objects
    assert found.clicks[0] == far
    assert (x, y, 1) not in found.clicks
    assert all(label == 0 for _, _, label in found.clicks)
    assert not found.mask.on_image(HEIGHT, WIDTH)[hole > 0].any()


def test_nothing_changed_and_no_click_leaves_the_mask(bench: Bench, asked: Asked) -> None:
    mask = BoxMask(20, 30, np.ones((40, 50), bool))
    reply = bench.predictor.refine(CASE, [RefineObject("same", mask, mask)])
    assert [(found.mask, found.clicks) for found in reply.objects] == [(mask, ())]
    assert asked == []


def test_one_request_of_many_objects_is_one_decode_a_form(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    model = bench.queue.embedding(CASE).served.model
    decode = model.decode

    def counted(*given: Any, **more: Any) -> Any:
        sizes.append(len(given[1]))
        return decode(*given, **more)

    monkeypatch.setattr(model, "decode", counted)
    bench.predictor.predict(CASE, [PredictObject(str(i), [bench.click(i)]) for i in range(12)])
    assert sizes == [12]


def test_another_adapter_is_another_model_with_other_embeddings(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (32, 512), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    store = EmbeddingStore(tmp_path / "embeddings")

    def answer(adapter: str | None) -> PredictReply:
        queue = started(lambda: load("dentasam-tiny", adapter, "cpu"), store, {1: tmp_path / "a.png"})
        try:
            return Predictor(queue).predict(1, [PredictObject("a", [(100.0, 16.0, 1)])])
        finally:
            queue.stop()

    base, adapted = answer(None), answer("panoramic-teeth")
    assert adapted.model.sha256 == base.model.sha256
    assert (base.model.adapter, adapted.model.adapter) == (None, "panoramic-teeth")
    assert adapted.objects[0].score != base.objects[0].score
    assert len(list(store.folder.glob("*/*.safetensors"))) == 2
    back = answer(None)
    assert back.model == base.model
    assert len(list(store.folder.glob("*/*.safetensors"))) == 2
    assert back.objects[0].score == pytest.approx(base.objects[0].score, abs=1e-6)
    assert back.objects[0].mask == base.objects[0].mask


@pytest.mark.parametrize("windows", [False, True])
def test_a_picture_that_was_replaced_is_answered_from_the_new_one(tmp_path: Path, windows: bool) -> None:
    path, kept = tmp_path / "a.bmp.png", tmp_path / "kept"
    pixels = [np.random.default_rng(seed).integers(0, 255, (32, 512), dtype=np.uint8) for seed in (3, 4)]
    files = []
    for each in pixels:
        # Without compression all files have one size.
        Image.fromarray(each).save(path, compress_level=0)
        files.append(path.read_bytes())
    assert len(files[0]) == len(files[1])
    path.write_bytes(files[0])
    before = path.stat()
    loader: Callable[[], Segmenter] = lambda: load("dentasam-tiny", device="cpu")  # noqa: E731
    first, later = [(100.0, 16.0, 1)], [(100.0, 16.0, 1), (108.0, 20.0, 1)]

    def ask(predictor: Predictor, previous: BoxMask | None) -> PredictReply:
        clicks = first if previous is None else later
        return predictor.predict(1, [PredictObject("a", clicks, previous=previous)])

    queue = started(loader, EmbeddingStore(tmp_path / "embeddings"), {1: path}, windows)
    fresh_queue = EncodeQueue(loader, CaseEncoder(EmbeddingStore(kept)), case_images({1: path}), windows=windows)
    predictor, fresh = Predictor(queue), Predictor(fresh_queue)
    try:
        old = ask(predictor, None)
        assert old.objects[0].answered_by == ("window" if windows else "whole")
        with path.open("r+b") as file:
            file.write(files[1])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        state = path.stat()
        assert (state.st_mtime_ns, state.st_size) == (before.st_mtime_ns, before.st_size)
        # The mask is the one that the model gave for the old picture: its logits are of no use for the new one.
        corrected = ask(predictor, old.objects[0].mask)
        again = ask(predictor, None)
        fresh_queue.start()
        assert ask(fresh, old.objects[0].mask).objects[0] == corrected.objects[0]
        expected = ask(fresh, None)
        assert expected.objects[0].score == pytest.approx(again.objects[0].score, abs=1e-6)
        assert expected.objects[0].mask == again.objects[0].mask
        assert again.objects[0].score != old.objects[0].score
        assert (old.picture, again.picture) == tuple(hashlib.sha256(each).hexdigest() for each in files)
    finally:
        queue.stop()
        fresh_queue.stop()
