"""Which arithmetic a device gets, and what bf16 in the encoder changes."""

import numpy as np
import pytest
import torch

import dentasam
from dentasam.data.phantom import generate
from dentasam.model.core.precision import autocast_type
from dentasam.model.runtime import with_adapter
from dentasam.prompts.correction_clicks import interior_centre


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, None)])
def test_auto_asks_the_device(native: bool, expected: torch.dtype | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_gpu(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", on_gpu)
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for device in (cpu, gpu):
        assert autocast_type("auto", device) == expected
        assert autocast_type("bf16", device) == torch.bfloat16
        assert autocast_type("fp32", device) is None
    assert dentasam.load(device="cpu").precision == ("bf16" if native else "fp32")


def test_masks_in_bf16_are_those_in_single_precision_but_for_a_few_pixels() -> None:
    phantom = generate(5, width=512, height=256)
    clicks = interior_centre(np.stack([item.mask for item in phantom.objects[:8]]))[:, None]
    masks = {}
    for precision in ("fp32", "bf16"):
        segmenter = dentasam.load(adapter="panoramic-teeth", device="cpu", precision=precision).merged()
        assert segmenter.precision == precision
        embedding = segmenter.encode(phantom.image)
        assert embedding.features.dtype == embedding.hq.dtype == torch.float32
        masks[precision] = embedding, segmenter.predict(embedding, clicks, np.ones(clicks.shape[:2], int)).masks
    (exact, truth), (rounded, found) = masks["fp32"], masks["bf16"]
    error = (rounded.features - exact.features).abs().mean() / exact.features.abs().mean()
    assert 1e-5 < error < 0.02  # it is rounded, and by no more than that
    dice = 2 * (truth & found).sum() / (truth.sum() + found.sum())
    assert dice > 0.99


def test_another_adapter_keeps_the_precision() -> None:
    segmenter = dentasam.load(device="cpu", precision="bf16")
    assert with_adapter(segmenter, "panoramic-teeth").precision == "bf16"
