"""The predictor in object windows, on an image that is larger than the model's frame."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dentasam.data.images.read import read_image
from dentasam.data.phantom import generate
from dentasam.labelling.inference.answer_memory import AnswerMemory
from dentasam.labelling.inference.encoding.case_encoder import CaseEncoder
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.hand_edits import HAND_LOGIT, mask_logits
from dentasam.labelling.inference.predictor import Predictor
from dentasam.labelling.inference.replies import PredictedObject
from dentasam.labelling.inference.requests import Click, PredictObject, RefineObject
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.tidy_sizes import Tidy
from dentasam.model.runtime import load
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.window import BoxedMask
from dentasam.model.windows.windowed_image import WindowedImage
from dentasam.prompts.correction_clicks import interior_centre

from ..conftest import case_images

HEIGHT, WIDTH = 700, 1600
CASE = 3
UNTIDIED = Tidy(islands=0, holes=0)


@dataclass(frozen=True)
class Bench:
    """A predictor whose one case is a phantom, its memory, and the phantom's teeth; `alone` decodes without them."""

    predictor: Predictor
    queue: EncodeQueue
    memory: AnswerMemory
    alone: WindowedImage
    teeth: list[np.ndarray]

    def click(self, tooth: int) -> Click:
        x, y = interior_centre(self.teeth[tooth][None])[0]
        return float(x), float(y), 1

    def ask(
        self,
        name: str,
        clicks: list[Click],
        previous: BoxMask | None = None,
        painted: BoxMask | None = None,
        erased: BoxMask | None = None,
    ) -> PredictedObject:
        request = PredictObject(name, clicks, None, previous, painted, erased)
        (found,) = self.predictor.predict(CASE, [request], lambda category: UNTIDIED).objects
        return found

    def answer(self, name: str, mask: BoxMask) -> ObjectAnswer:
        found = self.memory.get(CASE, name, self.queue.image(CASE).picture, mask)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("windows")
    phantom = generate(905, width=WIDTH, height=HEIGHT)
    Image.fromarray(phantom.image).save(folder / "phantom.png")
    segmenter = load("dentasam-tiny", device="cpu")
    encoder = CaseEncoder(EmbeddingStore(folder / "embeddings"))
    queue = EncodeQueue(lambda: segmenter, encoder, case_images({CASE: folder / "phantom.png"}))
    queue.start()
    memory = AnswerMemory()
    teeth = [one.mask for one in phantom.objects if one.category.isdigit()][:12]
    alone = segmenter.windows(phantom.image, queue.embedding(CASE).embedding)
    yield Bench(Predictor(queue, memory), queue, memory, alone, teeth)
    queue.stop()


def rows(clicks: list[Click]) -> np.ndarray:
    return np.array(clicks, np.float32)


def same(mask: BoxMask, answer: ObjectAnswer) -> bool:
    return mask == BoxMask(*answer.mask)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[ObjectPrompt]:
    """What the model was asked, in order."""
    seen: list[ObjectPrompt] = []
    decode = WindowedImage.decode

    def spy(self: WindowedImage, prompts: list[ObjectPrompt]) -> list[ObjectAnswer]:
        seen.extend(prompts)
        return decode(self, prompts)

    monkeypatch.setattr(WindowedImage, "decode", spy)
    return seen


def test_answers_are_those_of_the_segmenters_windows(bench: Bench) -> None:
    clicks = [bench.click(0)]
    first = bench.ask("plain", clicks)
    (expected,) = bench.alone.decode([ObjectPrompt(rows(clicks))])
    assert expected.window is not None
    assert (first.answered_by, same(first.mask, expected)) == ("window", True)
    assert first.score == pytest.approx(expected.score, abs=1e-5)
    clicks.append((clicks[0][0] + 20, clicks[0][1] + 30, 0))
    second = bench.ask("plain", clicks, first.mask)
    (corrected,) = bench.alone.decode([ObjectPrompt(rows(clicks), None, expected)])
    assert (second.answered_by, same(second.mask, corrected)) == ("window", True)


def test_clicks_that_come_at_once_are_given_one_by_one(bench: Bench) -> None:
    x, y, _ = bench.click(1)
    clicks: list[Click] = [(x, y, 1), (x + 15, y + 25, 0), (x, y - 20, 1)]
    answer = None
    for shown in (1, 2, 3):
        (answer,) = bench.alone.decode([ObjectPrompt(rows(clicks[:shown]), None, answer)])
    assert answer is not None
    assert same(bench.ask("at once", clicks).mask, answer)


def test_after_an_undo_the_older_masks_own_logits_are_fed_back(bench: Bench, given: list[ObjectPrompt]) -> None:
    x, y, _ = bench.click(2)
    first = bench.ask("undone", [(x, y, 1)])
    wrong = bench.ask("undone", [(x, y, 1), (x + 4, y, 0)], first.mask)
    assert wrong.mask != first.mask
    behind = bench.answer("undone", first.mask)
    bench.ask("undone", [(x, y, 1), (x, y + 10, 1)], first.mask)
    previous = given[-1].previous
    assert previous is not None
    assert (previous.window, previous.score) == (behind.window, behind.score)
    assert previous.logits is behind.logits


def test_a_mask_that_the_model_did_not_give_has_a_window_of_its_own(bench: Bench, given: list[ObjectPrompt]) -> None:
    tooth = BoxMask.from_mask(bench.teeth[3])
    found = bench.ask("imported", [bench.click(3)], tooth)
    previous = given[-1].previous
    assert previous is not None
    assert previous.window is not None
    assert found.answered_by == "window"
    for x, y in ((tooth.x, tooth.y), (tooth.x + tooth.width - 1, tooth.y + tooth.height - 1)):
        assert previous.window.holds(x, y)
    np.testing.assert_array_equal(previous.logits, mask_logits(tooth, previous.window))
    # Its logits give the mask back, within a logit of its edge.
    again = BoxMask(*previous.window.mask(previous.logits)).on_image(HEIGHT, WIDTH)
    assert np.count_nonzero(again != bench.teeth[3]) < 0.05 * tooth.area


def test_painted_and_erased_pixels_stay_and_are_certain_in_the_window(
    bench: Bench, given: list[ObjectPrompt]
) -> None:
    x, y, _ = bench.click(4)
    plain = bench.ask("hand", [(x, y, 1)])
    beside = BoxMask(plain.mask.x - 12, int(y), np.ones((9, 12), bool))
    hole = BoxMask(int(x) + 3, int(y) + 5, np.ones((8, 8), bool))
    now = plain.mask.on_image(HEIGHT, WIDTH) | beside.on_image(HEIGHT, WIDTH)
    now &= ~hole.on_image(HEIGHT, WIDTH)
    found = bench.ask("hand", [(x, y, 1)], BoxMask.from_mask(now), painted=beside, erased=hole)
    mask = found.mask.on_image(HEIGHT, WIDTH)
    assert mask[beside.on_image(HEIGHT, WIDTH)].all()
    assert not mask[hole.on_image(HEIGHT, WIDTH)].any()
    previous = given[-1].previous
    assert previous is not None
    assert previous.window is not None
    for box, logit in ((beside, HAND_LOGIT), (hole, -HAND_LOGIT)):
        centre = np.array([box.x + box.width / 2 - 0.5, box.y + box.height / 2 - 0.5])
        column, row = np.rint(previous.window.grid.index_of(centre)).astype(int)
        assert previous.logits[row, column] == logit


def test_the_hands_pixels_stay_even_where_they_contradict_a_click(bench: Bench) -> None:
    x, y, _ = bench.click(5)
    erased = BoxMask(int(x) - 4, int(y) - 4, np.ones((9, 9), bool))
    first = bench.ask("contradicted", [(x, y, 1)])
    found = bench.ask("contradicted", [(x, y, 1), (x + 1, y, 1)], first.mask, erased=erased)
    assert not found.mask.on_image(HEIGHT, WIDTH)[erased.on_image(HEIGHT, WIDTH)].any()


def test_a_stroke_is_followed_in_the_window_and_its_pixels_stay(bench: Bench, given: list[ObjectPrompt]) -> None:
    click = bench.click(6)
    first = bench.ask("stroke", [click])
    behind = bench.answer("stroke", first.mask)
    stroke = BoxMask(first.mask.x + first.mask.width // 2 - 8, first.mask.y - 10, np.ones((14, 16), bool))
    after = BoxMask.from_mask(first.mask.on_image(HEIGHT, WIDTH) | stroke.on_image(HEIGHT, WIDTH))
    (found,) = bench.predictor.refine(CASE, [RefineObject("stroke", first.mask, after, clicks=[click])]).objects
    assert found.answered_by == "window"
    assert found.mask.on_image(HEIGHT, WIDTH)[stroke.on_image(HEIGHT, WIDTH)].all()
    new = [each for each in found.clicks if each != click]
    assert new
    assert all(stroke.on_image(HEIGHT, WIDTH)[int(y), int(x)] and label == 1 for x, y, label in new)
    previous = given[-1].previous
    assert previous is not None
    # Away from the stroke, the logits are the model's own.
    assert previous.window == behind.window
    assert np.array_equal(previous.logits[48:], behind.logits[48:])
    assert previous.logits.max() >= HAND_LOGIT


def test_without_windows_the_whole_image_answers_as_it_does_alone(bench: Bench, tmp_path: Path) -> None:
    path = bench.queue._worklist[CASE].path
    segmenter = load("dentasam-tiny", device="cpu")
    encoder = CaseEncoder(EmbeddingStore(tmp_path / "embeddings"))
    queue = EncodeQueue(lambda: segmenter, encoder, case_images({CASE: path}), windows=False)
    queue.start()
    try:
        click = bench.click(7)
        (found,) = Predictor(queue).predict(CASE, [PredictObject("a", [click])], lambda category: UNTIDIED).objects
        assert (queue.windows, bench.queue.windows) == (False, True)
        expected = segmenter.predict(segmenter.encode(read_image(path)), rows([click])[None, :, :2], np.ones((1, 1)))
        assert found.answered_by == "whole"
        assert (
            np.count_nonzero(found.mask.on_image(HEIGHT, WIDTH) != expected.masks[0]) < 10
        )  # stored in half precision
    finally:
        queue.stop()


@pytest.fixture
def three(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[ObjectPrompt]:
    """Three nested masks in place of the choices of the model, made of its answer; returns what it was asked."""
    seen: list[ObjectPrompt] = []

    def choices(self: WindowedImage, prompts: list[ObjectPrompt]) -> list[tuple[ObjectAnswer, ...]]:
        seen.extend(prompts)
        found = []
        for prompt in prompts:
            single = prompt.previous
            assert single is not None
            x, y, _ = prompt.clicks[0]
            parts = []
            for half, score in ((9, 0.8), (4, 0.75)):
                bits = np.ones((2 * half + 1, 2 * half + 1), bool)
                mask = BoxedMask(int(x) - half, int(y) - half, bits)
                parts.append(replace(single, mask=mask, logits=single.logits - 1 / half, score=score))
            found.append((replace(single, score=0.8), *parts))
        return found

    monkeypatch.setattr(WindowedImage, "choices", choices)
    return seen


def test_each_choice_is_offered_and_its_own_logits_are_found_when_it_is_taken(
    bench: Bench, three: list[ObjectPrompt], given: list[ObjectPrompt]
) -> None:
    click = bench.click(8)
    request = PredictObject("choices", [click], choices=True)
    (found,) = bench.predictor.predict(CASE, [request], lambda category: UNTIDIED).objects
    assert [choice.mask.area for choice in found.choices[1:]] == [19 * 19, 9 * 9]
    assert found.choices[0].mask == found.mask
    assert {choice.answered_by for choice in found.choices} == {"window"}
    # The window of the answer is that of the choices, so that nothing is encoded for them.
    assert three[-1].previous is not None
    for choice, logits in zip(found.choices[1:], (-1 / 9, -1 / 4), strict=True):
        x, y, _ = click
        bench.ask("choices", [click, (x + 2, y, 1)], choice.mask)
        previous = given[-1].previous
        assert previous is not None
        kept = bench.answer("choices", choice.mask)
        np.testing.assert_allclose(kept.logits - three[-1].previous.logits, logits, atol=1e-4)
        assert previous.score == choice.score


def test_a_label_for_parts_takes_the_part(bench: Bench, three: list[ObjectPrompt]) -> None:
    click = bench.click(9)
    asked = [
        PredictObject("part", [click], category="filling", choices=True),
        PredictObject("silent", [click], category="filling"),
        PredictObject("whole", [click], category="36", choices=True),
        PredictObject("plain", [click], category="36"),
    ]
    reply = bench.predictor.predict(CASE, asked, lambda category: UNTIDIED, lambda category: category == "filling")
    part, silent, whole, plain = reply.objects
    assert part.mask == silent.mask == part.choices[2].mask == whole.choices[2].mask
    assert whole.mask == plain.mask == whole.choices[0].mask
    assert (len(part.choices), silent.choices, len(whole.choices), plain.choices) == (3, (), 3, ())
    assert len(three) == 3


def test_a_later_click_offers_nothing(bench: Bench, three: list[ObjectPrompt]) -> None:
    click = bench.click(9)
    first = bench.ask("later", [click])
    request = PredictObject("later", [click, (*click[:2], 1)], previous=first.mask, category="filling", choices=True)
    (found,) = bench.predictor.predict(CASE, [request], prefers_part=lambda category: True).objects
    assert (found.choices, three) == ((), [])


def test_threads_on_one_case_answer_as_one_alone(bench: Bench) -> None:
    def story(tooth: int, name: str) -> list[BoxMask]:
        x, y, _ = bench.click(tooth)
        first = bench.ask(name, [(x, y, 1)])
        second = bench.ask(name, [(x, y, 1), (x + 20, y + 30, 0)], first.mask)
        return [first.mask, second.mask]

    expected = [story(tooth, f"alone {tooth}") for tooth in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(story, range(6), [f"beside {tooth}" for tooth in range(6)]))
    assert found == expected


def test_windows_are_never_cut_from_a_file_that_is_replaced_meanwhile(tmp_path: Path) -> None:
    pictures = [generate(seed, width=800, height=360).image for seed in (1, 2)]
    path, other = tmp_path / "a.png", tmp_path / "other.png"
    for pixels, target in zip(pictures, (path, other), strict=True):
        Image.fromarray(pixels).save(target)
    segmenter, store = load("dentasam-tiny", device="cpu"), EmbeddingStore(tmp_path / "embeddings")

    def started(read: Callable[[Path], np.ndarray]) -> EncodeQueue:
        queue = EncodeQueue(lambda: segmenter, CaseEncoder(store, read=read), case_images({1: path}))
        queue.start()
        return queue

    first = started(read_image)
    first.embedding(1)
    first.stop()
    reads: list[Path] = []

    def read(source: Path) -> np.ndarray:
        """The first read finds another picture in the file, after its hash was looked up and its embedding found."""
        if not reads:
            other.replace(source)
        reads.append(source)
        return read_image(source)

    second = started(read)
    try:
        click = (400.0, 180.0, 1)
        (found,) = Predictor(second).predict(1, [PredictObject("a", [click])], lambda category: UNTIDIED).objects
    finally:
        second.stop()
    assert len(reads) == 2  # once for the windows of the old picture, once to encode the new one
    stored = segmenter.encode(pictures[1]).half().to(dtype=torch.float32)
    (expected,) = segmenter.windows(pictures[1], stored).decode([ObjectPrompt(rows([click]))])
    assert same(found.mask, expected)
