import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import dentasam
from dentasam.errors import AdapterError, CheckpointError, ImageError, PromptError
from dentasam.model.adapters.folder import WEIGHTS, find_adapter
from dentasam.model.adapters.switching import adapter_names
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.sam_hq import SamHQ, build_sam_hq
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.objects import ObjectPrompt

HEIGHT, WIDTH = 60, 120


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_checkpoint(build_sam_hq("vit_tiny"), path)
    loaded: Segmenter = dentasam.load(path, device="cpu")
    return loaded


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def test_masks_scores_and_logits_have_the_documented_shapes(segmenter: Segmenter, image: np.ndarray) -> None:
    embedding = segmenter.encode(image)
    clicks = np.array([[[10.0, 20.0], [30.0, 40.0]], [[60.0, 30.0], [90.0, 50.0]]])
    prediction = segmenter.predict(embedding, clicks, np.array([[1, 0], [1, 1]]))
    assert prediction.masks.shape == (2, HEIGHT, WIDTH)
    assert prediction.masks.dtype == bool
    assert prediction.logits.shape == (2, *embedding.frame.logits)
    assert prediction.scores.shape == (2,)
    again = segmenter.predict(embedding, clicks, np.array([[1, 0], [1, 1]]), logits=prediction.logits)
    assert not np.array_equal(again.logits, prediction.logits)


def test_sixteen_bits_give_what_eight_bits_give(segmenter: Segmenter, image: np.ndarray) -> None:
    eight = segmenter.encode(image)
    sixteen = segmenter.encode(image.astype(np.uint16) * 257)
    assert torch.allclose(eight.features, sixteen.features, atol=1e-3)


def test_a_box_alone_is_a_prompt(segmenter: Segmenter, image: np.ndarray) -> None:
    embedding = segmenter.encode(image)
    boxes = np.array([[5.0, 5.0, 60.0, 50.0]])
    prediction = segmenter.predict(embedding, np.zeros((1, 0, 2)), np.zeros((1, 0), int), boxes=boxes)
    assert prediction.masks.shape == (1, HEIGHT, WIDTH)


def test_half_precision_embedding_is_taken(segmenter: Segmenter, image: np.ndarray) -> None:
    embedding = segmenter.encode(image)
    clicks, labels = np.array([[[60.0, 30.0]]]), np.array([[1]])
    whole = segmenter.predict(embedding, clicks, labels)
    half = segmenter.predict(embedding.half(), clicks, labels)
    assert np.abs(whole.logits - half.logits).max() < 0.05 * np.abs(whole.logits).max()


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8), "x"])
def test_only_grayscale_images_are_encoded(segmenter: Segmenter, wrong: object) -> None:
    with pytest.raises(ImageError, match="encode takes"):
        segmenter.encode(wrong)  # type: ignore[arg-type]


def test_windows_refuse_the_embedding_of_an_image_of_another_size(segmenter: Segmenter, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match="the embedding is of 60 x 120 pixels"):
        segmenter.windows(image[:, :100], segmenter.encode(image))


@pytest.mark.parametrize(
    ("clicks", "labels", "message"),
    [
        (np.zeros((1, 2)), np.zeros((1,), int), "clicks must be"),
        (np.zeros((1, 2, 2)), np.zeros((1, 1), int), "labels must be"),
        (np.zeros((1, 1, 2)), np.array([[7]]), "labels must be 1"),
        (np.full((1, 1, 2), np.nan), np.array([[1]]), "finite"),
        (np.zeros((2, 1, 2)), np.array([[1], [-1]]), "object 1 has neither"),
    ],
)
def test_malformed_prompts_are_refused(
    segmenter: Segmenter, image: np.ndarray, clicks: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(PromptError, match=message):
        segmenter.predict(segmenter.encode(image), clicks, labels)


def test_a_box_with_its_corners_in_another_order_is_refused(segmenter: Segmenter, image: np.ndarray) -> None:
    none = np.zeros((2, 0, 2)), np.zeros((2, 0), int)
    boxes = np.array([[4.0, 4.0, 20.0, 20.0], [20.0, 4.0, 4.0, 20.0]])
    with pytest.raises(PromptError, match="object 1: a box is x0, y0, x1, y1"):
        segmenter.predict(segmenter.encode(image), *none, boxes=boxes)


def test_logits_of_another_frame_are_refused(segmenter: Segmenter, image: np.ndarray) -> None:
    with pytest.raises(PromptError, match="logits must be"):
        segmenter.predict(
            segmenter.encode(image), np.zeros((1, 1, 2)), np.array([[1]]), logits=np.zeros((1, 8, 8), np.float32)
        )


def test_faults_name_the_file(tmp_path: Path, segmenter: Segmenter) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.safetensors"):
        dentasam.load(tmp_path / "nothing.safetensors")
    with pytest.raises(AdapterError, match="nowhere"):
        segmenter.load_adapter(tmp_path / "nowhere")


def test_adapters_of_similar_names_are_kept_apart(tmp_path: Path, image: np.ndarray) -> None:
    """PEFT allows no dot and no slash in a name, so `v1.0` and `v1_0` could become the same one."""
    dotted, plain = tmp_path / "v1.0", tmp_path / "v1_0"
    for folder in (dotted, plain):
        shutil.copytree(find_adapter("panoramic-teeth"), folder)
    stronger = {name: 3 * value if "lora_B" in name else value for name, value in load_file(plain / WEIGHTS).items()}
    save_file(stronger, plain / WEIGHTS)
    loaded = dentasam.load("dentasam-tiny", adapter=dotted, device="cpu", precision="fp32")
    first = loaded.encode(image).features
    loaded.load_adapter(plain)
    assert not torch.allclose(loaded.encode(image).features, first, atol=1e-3)
    loaded.use_adapter(dotted)
    assert torch.allclose(loaded.encode(image).features, first, atol=1e-5)


def test_an_adapter_that_was_trained_again_is_loaded_again(tmp_path: Path) -> None:
    """In a notebook the same folder is trained into and loaded again; the object windows kept are not its own."""
    image = np.random.default_rng(0).integers(0, 256, (300, 620), dtype=np.uint8)
    folder = tmp_path / "mine"
    shutil.copytree(find_adapter("panoramic-teeth"), folder)
    loaded = dentasam.load("dentasam-tiny", adapter=folder, device="cpu", precision="fp32")
    first, known = loaded.encode(image).features, loaded.adapters.identity()
    prompt = ObjectPrompt(np.array([[130.0, 140.0, 1.0]]), box=(110.0, 110.0, 150.0, 170.0))
    (before,) = loaded.windows(image).decode([prompt])
    weights = load_file(folder / WEIGHTS)
    save_file({name: 3 * value if "lora_B" in name else value for name, value in weights.items()}, folder / WEIGHTS)
    assert loaded.adapters.identity() == known  # what it computes with, not what lies there now
    loaded.load_adapter(folder)
    assert loaded.adapters.identity() != known
    assert not torch.allclose(loaded.encode(image).features, first, atol=1e-3)
    (after,) = loaded.windows(image).decode([prompt])
    fresh = dentasam.load("dentasam-tiny", adapter=folder, device="cpu", precision="fp32")
    (expected,) = fresh.windows(image).decode([prompt])
    np.testing.assert_allclose(after.logits, expected.logits, atol=1e-4)
    assert isinstance(loaded.model, SamHQ)
    assert len(adapter_names(loaded.model)) == 1  # what it was before is gone
    assert before.window is not None
    assert np.abs(before.logits - after.logits).max() > 0.05


def test_merged_gives_the_same_masks_without_the_adapters_layers(segmenter: Segmenter, image: np.ndarray) -> None:
    assert segmenter.merged() is segmenter
    adapted = dentasam.load("dentasam-tiny", adapter="panoramic-teeth", device="cpu", precision="fp32")
    merged = adapted.merged()
    assert merged.sparse_upscaling
    adapted.sparse_upscaling = merged.sparse_upscaling = False  # away from the object the logits are estimates
    clicks, labels = np.array([[[10.0, 20.0]], [[60.0, 30.0]]]), np.ones((2, 1), dtype=np.int64)
    expected = adapted.predict(adapted.encode(image), clicks, labels)
    found = merged.predict(merged.encode(image), clicks, labels)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-3, atol=1e-3)
    assert (merged.name, merged.adapter) == ("dentasam-tiny", "panoramic-teeth")
    merged.use_adapter("panoramic-teeth")
    with pytest.raises(AdapterError, match="is merged into this model; load the base again"):
        merged.use_adapter(None)
    assert isinstance(adapted.model, SamHQ)
    assert isinstance(merged.model, SamHQ)
    assert any("lora" in name for name, _ in adapted.model.named_parameters())
    assert not any("lora" in name for name, _ in merged.model.named_parameters())


def test_the_base_alone_needs_no_peft() -> None:
    """Its import takes seconds."""
    script = """
import sys, dentasam
segmenter = dentasam.load("dentasam-tiny", device="cpu")
segmenter.use_adapter(None)
assert segmenter.merged() is segmenter
assert "peft" not in sys.modules
segmenter.load_adapter("panoramic-teeth")
assert "peft" in sys.modules
assert segmenter.merged() is not segmenter
"""
    subprocess.run([sys.executable, "-c", script], check=True)
