"""The two implementations that the model is held against, as small as they can be built.

`transformers`: from 4.57.6 to 5.23.0 its SAM-HQ mask decoder drops the image embedding that the two-way
transformer updated, and upscales the raw one with height and width swapped; `corrected_transformers` puts the
published behaviour back. The reference is the package of SAM-HQ's authors, `segment-anything-hq`, which
imports torchvision and timm for what its forward pass does not use: `reference_package` puts stubs there.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

IMAGE_SIZE = 1024
# The smallest ViT that has everything: windows, a first and a later global block, several heads.
WIDTH, DEPTH, HEADS, GLOBAL_BLOCKS = 48, 3, 2, (1, 2)


def draw_weights(model: nn.Module, seed: int, std: float = 0.04) -> None:
    """Draw every parameter at a scale at which it shows in the output.

    As built, positional tables are zeros and transformers draws at 1e-10: two such models agree whatever they
    compute. Norm weights stand around one, variances stay positive.
    """
    generator = torch.Generator().manual_seed(seed)
    norms = {
        id(module.weight)
        for module in model.modules()
        if "Norm" in type(module).__name__ and getattr(module, "weight", None) is not None
    }
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if not tensor.is_floating_point() or name.startswith("pixel_"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if "gaussian_matrix" in name or "positional_embedding" in name:
                tensor.copy_(noise)
            elif id(tensor) in norms or name.endswith("running_var"):
                tensor.copy_(1 + 0.1 * noise.abs())
            else:
                tensor.copy_(std * noise)


def corrected_transformers(seed: int = 0) -> Any:
    """A small transformers `SamHQModel`, with its decoder corrected and its weights drawn anew.

    Its decoder's norms default to 1e-6, where the reference has PyTorch's 1e-5.
    """
    from transformers import SamHQConfig, SamHQModel

    config = SamHQConfig(
        vision_config={
            "hidden_size": WIDTH,
            "num_hidden_layers": DEPTH,
            "num_attention_heads": HEADS,
            "global_attn_indexes": list(GLOBAL_BLOCKS),
        },
        mask_decoder_config={"vit_dim": WIDTH, "layer_norm_eps": 1e-5},
    )
    model = SamHQModel(config).eval()
    draw_weights(model, seed)
    updated: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
        updated[:] = [outputs[1]]  # (P, 1, rows*cols, 256), dropped by the decoder

    def put_back(_module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (updated[0].transpose(-1, -2).reshape(inputs[0].shape),)

    model.mask_decoder.transformer.register_forward_hook(keep)
    model.mask_decoder.upscale_conv1.register_forward_pre_hook(put_back)
    return model


def reference_package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import `segment_anything_hq` behind stubs of torchvision and timm; skip where it is not installed.

    Of the stubbed names, the forward pass uses none: stochastic depth is off, boxes are never suppressed and
    images arrive resized.
    """
    if importlib.util.find_spec("segment_anything_hq") is None:
        pytest.skip("the reference package is not installed: pip install --no-deps segment-anything-hq==0.3")
    stubs: dict[str, dict[str, Any]] = {
        "torchvision": {},
        "torchvision.ops": {},
        "torchvision.ops.boxes": {"batched_nms": None, "box_area": None},
        "torchvision.transforms": {},
        "torchvision.transforms.functional": {"resize": None, "to_pil_image": None},
        "timm": {},
        "timm.models": {},
        "timm.models.layers": {
            "DropPath": nn.Identity,
            "to_2tuple": lambda size: (size, size),
            "trunc_normal_": nn.init.trunc_normal_,
        },
        "timm.models.registry": {"register_model": lambda build: build},
    }
    for name, members in stubs.items():
        stub = ModuleType(name)
        vars(stub).update(members)
        monkeypatch.setitem(sys.modules, name, stub)
    return importlib.import_module("segment_anything_hq")


def reference_vit(package: ModuleType, seed: int = 0) -> Any:
    """The reference's SAM-HQ around a small ViT, built as its `_build_sam` builds ViT-B."""
    modeling = importlib.import_module(f"{package.__name__}.modeling")
    grid = IMAGE_SIZE // 16
    model = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=DEPTH,
            embed_dim=WIDTH,
            img_size=IMAGE_SIZE,
            mlp_ratio=4,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            num_heads=HEADS,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=GLOBAL_BLOCKS,
            window_size=14,
            out_chans=256,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=256,
            image_embedding_size=(grid, grid),
            input_image_size=(IMAGE_SIZE, IMAGE_SIZE),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoderHQ(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8),
            transformer_dim=256,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
            vit_dim=WIDTH,
        ),
    )
    draw_weights(model, seed)
    return model.eval()


def reference_tiny(package: ModuleType, seed: int = 0) -> Any:
    """The reference's Light HQ-SAM (TinyViT), whole."""
    build = importlib.import_module(f"{package.__name__}.build_sam").build_sam_vit_t
    model = build()
    draw_weights(model, seed)
    # Its attention keeps a copy of its biases while in evaluation mode; only this order makes the copy anew.
    return model.train().eval()
