"""Parameter names: from the transformers SAM-HQ layout to the official one, and what another file seems to be.

The official layout is that of `sam_hq_vit_{tiny,b,l,h}.pth` (Ke et al. 2023, https://github.com/SysCV/sam-hq);
the other is the state dict of transformers' `SamHQModel`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from dentasam.model.encoder.encoder_registry import plain_vit_size, recognise_encoder

_MLP = r"(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head|hf_mlp))"

# Applied in this order, each to the outcome of the ones before it.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile("^" + pattern), replacement)
    for pattern, replacement in (
        (r"vision_encoder\.", "image_encoder."),
        (r"image_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
        (r"image_encoder\.layers\.(\d+)\.layer_norm", r"image_encoder.blocks.\1.norm"),
        (r"image_encoder\.layers\.", "image_encoder.blocks."),
        (r"image_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
        (r"image_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
        (r"image_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
        (r"image_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
        (
            r"(?:shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",
            "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        ),
        (r"prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
        (r"prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
        (r"prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
        (r"prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
        (r"prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
        (r"prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
        (r"mask_decoder\.transformer\.layers\.(\d+)\.layer_norm", r"mask_decoder.transformer.layers.\1.norm"),
        (r"mask_decoder\.transformer\.layer_norm_final_attn\.", "mask_decoder.transformer.norm_final_attn."),
        (r"mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
        (r"mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
        (r"mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
        (r"mask_decoder\.hq_token\.", "mask_decoder.hf_token."),
        (r"mask_decoder\.hq_mask_mlp\.", "mask_decoder.hf_mlp."),
        (_MLP + r"\.layers\.0\.", r"\1.layers.1."),
        (_MLP + r"\.proj_in\.", r"\1.layers.0."),
        (_MLP + r"\.proj_out\.", r"\1.layers.2."),
        (r"mask_decoder\.compress_vit_conv1\.", "mask_decoder.compress_vit_feat.0."),
        (r"mask_decoder\.compress_vit_norm\.", "mask_decoder.compress_vit_feat.1."),
        (r"mask_decoder\.compress_vit_conv2\.", "mask_decoder.compress_vit_feat.3."),
        (r"mask_decoder\.encoder_conv1\.", "mask_decoder.embedding_encoder.0."),
        (r"mask_decoder\.encoder_norm\.", "mask_decoder.embedding_encoder.1."),
        (r"mask_decoder\.encoder_conv2\.", "mask_decoder.embedding_encoder.3."),
        (r"mask_decoder\.mask_conv1\.", "mask_decoder.embedding_maskfeature.0."),
        (r"mask_decoder\.mask_norm\.", "mask_decoder.embedding_maskfeature.1."),
        (r"mask_decoder\.mask_conv2\.", "mask_decoder.embedding_maskfeature.3."),
    )
)

# In the official files but not used: TinyViT's ImageNet classifier, tables that the model computes itself, and the
# pixel normalisation, which `Frame` does. And the counter of torch's AveragedModel.
_UNUSED = re.compile(
    r"^image_encoder\.(norm_head|head)\.|\.attention_bias_idxs$|\.attn\.ab$|^pixel_(mean|std)$|^n_averaged$"
)

# A module that wraps another leaves its name in the keys: torch.compile, DataParallel, FSDP and activation
# checkpointing around any part; Lightning, DeepSpeed and training scripts, under various names, around the whole.
_WRAPPER = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_ROOT = re.compile(r"^((?:[^.]+\.)*?)(?:image_encoder|vision_encoder|prompt_encoder|mask_decoder)\.")


def is_transformers_layout(keys: Collection[str]) -> bool:
    """Whether these are the names that transformers' `SamHQModel` (or `SamModel`) uses."""
    return any(
        key.startswith(("vision_encoder.patch_embed.", "shared_image_embedding.", "prompt_encoder.point_embed."))
        for key in keys
    )


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the official names, without those that are not used.

    Prefixes of wrappers are removed. transformers stores the positional matrix once or twice (it is tied); both names
    are mapped to the same one.
    """
    state = without_wrappers(state)
    if is_transformers_layout(state):
        state = {_official_name(key): tensor for key, tensor in state.items()}
    return {key: tensor for key, tensor in state.items() if not _UNUSED.search(key)}


def without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, without the prefixes that compiling, distributing or a training framework put in the keys.

    `_orig_mod.` and the like are removed anywhere, `model.` and other names only where they precede every key. If two
    keys would become one, all stay as they are.
    """
    names = {key: _WRAPPER.sub("", key) for key in state}
    prefixes = {match[1] for name in names.values() if (match := _ROOT.match(name))}
    prefix = max(prefixes, key=len, default="")
    if all(name.startswith(prefix) for name in names.values()):
        names = {key: name.removeprefix(prefix) for key, name in names.items()}
    if len(set(names.values())) < len(names):
        return dict(state)
    return {names[key]: tensor for key, tensor in state.items()}


def _official_name(key: str) -> str:
    for pattern, replacement in _RULES:
        key = pattern.sub(replacement, key)
    return key


def describe(state: Mapping[str, Tensor]) -> str:
    """What a state dict in official names seems to be and what to do, as part of an error message."""
    keys = state.keys()
    if any("lora_" in key for key in keys):
        return "it seems to be a LoRA adapter: give it as the adapter, with its base as the model"
    if any(key.startswith(("image_encoder.trunk.", "memory_attention.", "sam_mask_decoder.")) for key in keys):
        return "it seems to be SAM 2: take a SAM-HQ checkpoint"
    if any(key.startswith(("vision_encoder.backbone.", "image_encoder.backbone.")) for key in keys):
        return "it seems to be SAM 2: take a SAM-HQ checkpoint"
    has_encoder = any(key.startswith("image_encoder.") for key in keys)
    has_decoder = "mask_decoder.iou_token.weight" in keys
    has_hq_token = "mask_decoder.hf_token.weight" in keys
    if has_encoder and has_decoder and not has_hq_token:
        return "it seems to be plain SAM, without the HQ head: take a SAM-HQ checkpoint"
    if has_encoder and has_hq_token:
        size = plain_vit_size(state)
        if size and recognise_encoder(state) is None:
            return f"it seems to be SAM-HQ of another size (width {size[0]}, {size[1]} blocks)"
        return "it seems to be SAM-HQ with other or missing parts"
    if "hf_token.weight" in keys or has_decoder:
        return "it seems to be a mask decoder alone: take the whole SAM-HQ checkpoint"
    return "it does not look like SAM-HQ: take a SAM-HQ checkpoint"
