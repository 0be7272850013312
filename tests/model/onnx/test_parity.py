"""The exported graphs give what torch gives, on any grid and for any number of objects and clicks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import dentasam
from dentasam.model.core.frame import LOGIT_STRIDE, PATCH, Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.onnx.export import ExportCard, export_graphs
from dentasam.model.onnx.network import OnnxNetwork
from dentasam.model.sam_hq import SamHQ
from dentasam.model.windows.window import Window

from ..oracles import draw_weights

TOLERANCE = 1e-4
NAN = float("nan")
# Both shorter and longer than a window of 14, a multiple of it, upright, and as long as the table of positions.
GRIDS = [(9, 20), (14, 28), (27, 64), (15, 13), (1, 3)]


@dataclass(frozen=True)
class Exported:
    """A network of torch, and what was exported of it."""

    torch: SamHQ
    onnx: OnnxNetwork


@pytest.fixture(scope="module")
def random_vit(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The smallest ViT with a window block and a global one, at weights that show in the output."""
    folder = tmp_path_factory.mktemp("export")
    model = SamHQ(ImageEncoderViT(48, 2, 2, (1,)), 48)
    draw_weights(model, seed=0)
    export_graphs(model.eval(), folder)
    ExportCard("small", "0" * 64, "vit_b").write(folder)
    return Exported(model, OnnxNetwork(folder))


@pytest.fixture(scope="module")
def bundled(exported_bundled: Path) -> Exported:
    segmenter = dentasam.load("dentasam-tiny", adapter="panoramic-teeth", device="cpu")
    network = segmenter.merged().model
    assert isinstance(network, SamHQ)
    return Exported(network, OnnxNetwork(exported_bundled))


@pytest.fixture(scope="module", params=["random_vit", "bundled"])
def exported(request: pytest.FixtureRequest) -> Exported:
    return request.getfixturevalue(request.param)


def frame_of(rows: int, cols: int) -> Frame:
    return Frame(PATCH * rows, PATCH * cols, 1.0, rows, cols)


@pytest.mark.parametrize("grid", GRIDS)
@torch.inference_mode()
def test_encoder(exported: Exported, grid: tuple[int, int]) -> None:
    frame = frame_of(*grid)
    pixels = torch.randn(1, 3, *frame.padded, generator=torch.Generator().manual_seed(0))
    expected, found = exported.torch.encode(pixels, frame), exported.onnx.encode(pixels, frame)
    assert expected.features.abs().max() > 0.1
    torch.testing.assert_close(found.features, expected.features, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(found.hq, expected.hq, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("previous", ["no logits", "logits", "some logits"])
@pytest.mark.parametrize("boxed", [False, True], ids=["no box", "box"])
@pytest.mark.parametrize("clicks", [1, 4])
@pytest.mark.parametrize("objects", [1, 5])
@torch.inference_mode()
def test_decoder(exported: Exported, objects: int, clicks: int, boxed: bool, previous: str) -> None:
    for rows, cols in ((9, 20), (20, 11)):
        frame = frame_of(rows, cols)
        generator = torch.Generator().manual_seed(objects + clicks)
        embedding = ImageEmbedding(
            torch.randn(1, 256, rows, cols, generator=generator),
            torch.randn(1, 32, LOGIT_STRIDE * rows, LOGIT_STRIDE * cols, generator=generator),
            frame,
        )
        size = torch.tensor([frame.width, frame.height])
        points = torch.rand(objects, clicks, 2, generator=generator) * size
        labels = torch.randint(0, 2, (objects, clicks), generator=generator)
        boxes = torch.rand(objects, 2, 2, generator=generator) * size
        logits = 4 * torch.randn(objects, *frame.logits, generator=generator)
        if previous == "some logits":
            logits[::2] = NAN
        prompts = Prompts(
            points, labels, boxes.flatten(1) if boxed else None, None if previous == "no logits" else logits
        )
        expected, found = exported.torch.decode(embedding, prompts), exported.onnx.decode(embedding, prompts)
        torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=TOLERANCE)
        torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_objects_of_any_form_in_one_call(exported: Exported) -> None:
    """A box alone, absent clicks and boxes, objects in an order of their own, as torch takes them."""
    frame = frame_of(8, 16)
    generator = torch.Generator().manual_seed(3)
    embedding = ImageEmbedding(
        torch.randn(1, 256, 8, 16, generator=generator), torch.randn(1, 32, 32, 64, generator=generator), frame
    )
    labels = torch.tensor([[1, -1, -1], [1, 0, 1], [-1, -1, -1], [-1, 0, 1]])
    points = torch.rand(4, 3, 2, generator=generator) * 128
    points[labels < 0] = NAN
    boxes = torch.full((4, 4), NAN)
    boxes[2:] = torch.tensor([[10.0, 20.0, 90.0, 100.0], [100.0, 0.0, 255.0, 64.0]])
    prompts = Prompts(points, labels, boxes, None)
    expected, found = exported.torch.decode(embedding, prompts), exported.onnx.decode(embedding, prompts)
    torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=TOLERANCE)
    none = exported.onnx.decode(embedding, prompts[torch.zeros(4, dtype=torch.bool)])
    assert none.logits.shape == (0, 32, 64)
    assert none.scores.shape == (0,)


WINDOW = Window(0.0, 0.0, 1.0, 1000, 2000).frame
IMAGES = 3


@torch.inference_mode()
def test_windows_are_encoded_at_their_place(exported: Exported) -> None:
    pixels = torch.randn(IMAGES, 3, *WINDOW.padded, generator=torch.Generator().manual_seed(4))
    expected, found = exported.torch.encode(pixels, WINDOW), exported.onnx.encode(pixels, WINDOW)
    assert (WINDOW.top, WINDOW.left) != (0, 0)
    torch.testing.assert_close(found.features, expected.features, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(found.hq, expected.hq, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_the_place_counts(random_vit: Exported) -> None:
    """Guards the test above, for the encoder that has positions."""
    pixels = torch.randn(1, 3, *WINDOW.padded, generator=torch.Generator().manual_seed(4))
    placed, first = (random_vit.onnx.encode(pixels, frame) for frame in (WINDOW, frame_of(WINDOW.rows, WINDOW.cols)))
    assert (placed.features - first.features).abs().max() > 0.01


@pytest.mark.parametrize("fed_back", [False, True], ids=["no logits", "logits"])
@torch.inference_mode()
def test_objects_of_several_windows(exported: Exported, fed_back: bool) -> None:
    """In one call as in one for each, and as torch: the single mask, all three, and the best of them."""
    generator = torch.Generator().manual_seed(5)
    rows, cols = WINDOW.rows, WINDOW.cols
    embedding = ImageEmbedding(
        torch.randn(IMAGES, 256, rows, cols, generator=generator),
        torch.randn(IMAGES, 32, LOGIT_STRIDE * rows, LOGIT_STRIDE * cols, generator=generator),
        WINDOW,
    )
    image = torch.tensor([0, 2, 2, 1, 0])
    labels = torch.tensor([[1, -1], [1, 0], [1, -1], [1, 1], [0, 1]])
    inside = torch.rand(5, 2, 2, generator=generator) * torch.tensor([WINDOW.width, WINDOW.height])
    points = inside + torch.tensor(WINDOW.origin)
    logits = 4 * torch.randn(5, *WINDOW.logits, generator=generator) if fed_back else None
    if logits is not None:
        logits[1] = NAN
    prompts = Prompts(points, labels, None, logits, image)

    expected, found = exported.torch.decode(embedding, prompts), exported.onnx.decode(embedding, prompts)
    three, ours = exported.torch.decode_choices(embedding, prompts), exported.onnx.decode_choices(embedding, prompts)
    best, chosen = (model.decode(embedding, prompts, multimask=True) for model in (exported.torch, exported.onnx))
    assert three.logits.shape == (5, 3, *WINDOW.logits)
    assert (three.logits[:, 0] - three.logits[:, 1]).abs().max() > 0.01
    for right, own in ((expected, found), (three, ours), (best, chosen)):
        torch.testing.assert_close(own.logits, right.logits, rtol=0, atol=TOLERANCE)
        torch.testing.assert_close(own.scores, right.scores, rtol=0, atol=TOLERANCE)
    for index in range(5):
        alone = exported.onnx.decode(embedding, prompts[torch.tensor([index])])
        torch.testing.assert_close(found.logits[index], alone.logits[0], rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_a_decode_at_another_place_differs(random_vit: Exported) -> None:
    """Guards the tests of the decoder: the same tokens and click, elsewhere in the grid of positions."""
    generator = torch.Generator().manual_seed(6)
    placed, first = WINDOW, frame_of(WINDOW.rows, WINDOW.cols)
    features = torch.randn(1, 256, WINDOW.rows, WINDOW.cols, generator=generator)
    hq = torch.randn(1, 32, *WINDOW.logits, generator=generator)
    prompts = Prompts(torch.tensor([[[500.0, 500.0]]]), torch.tensor([[1]]))
    one, other = (
        random_vit.onnx.decode(ImageEmbedding(features, hq, frame), prompts).logits for frame in (placed, first)
    )
    assert (one - other).abs().max() > 0.01
