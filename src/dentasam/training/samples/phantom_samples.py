"""Windows of phantoms and synthetic shapes for pretraining, a new transform each step.

A window stands at a random offset of the 1024 frame with the frame's own positions, because a model that only ever
saw windows at the origin fails on whole images. All images of a step share the window's place, and so one frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from dentasam.data.phantom import CONDITIONS, generate, generate_shapes
from dentasam.model.core.frame import LOGIT_STRIDE, LONGEST, PATCH, Frame
from dentasam.training.recipe import Recipe, Stage
from dentasam.training.samples.image_samples import Sample

# Of what is drawn, kept in memory by each loading process.
_KEPT = 700
_VISIBLE = 0.5
_LEAST_AREA = 100  # frame pixels
_TRIES = 8


@dataclass(frozen=True)
class _Part:
    """An object within its bounding box: mask (h, w) uint8 0 or 255 at (x, y)."""

    x: int
    y: int
    mask: np.ndarray
    area: int
    category: str


@dataclass(frozen=True)
class _Scene:
    image: np.ndarray
    parts: list[_Part]


class PhantomWindows(Dataset[list[Sample]]):
    """Item `step` is the list of this process's samples of that step, a pure function of seed, step and place."""

    def __init__(self, recipe: Recipe, rank: int = 0, processes: int = 1) -> None:
        self.recipe = recipe
        self.rank = rank
        self.processes = processes
        self.total_steps = recipe.total_steps(0)

    def __len__(self) -> int:
        return self.total_steps

    def __getitem__(self, step: int) -> list[Sample]:
        stage = self.recipe.stage_at(step)
        assert stage is not None
        frame = _frame(stage, np.random.default_rng([self.recipe.seed, step]))
        positions = np.array_split(np.arange(stage.batch_images), self.processes)[self.rank]
        return [self._sample(stage, frame, step, int(position)) for position in positions]

    def on_crops(self, step: int) -> bool:
        """Whether a step is one of those on windows, before those on whole images."""
        stage = self.recipe.stage_at(step)
        return stage is not None and stage.window is not None

    def _sample(self, stage: Stage, frame: Frame, step: int, position: int) -> Sample:
        rng = np.random.default_rng([self.recipe.seed, step, position])
        phantoms = self.recipe.phantoms
        seed, shapes = int(rng.integers(phantoms.images)), bool(rng.random() < stage.shapes_share)
        scene = _scene(seed, shapes, phantoms.conditions_share, phantoms.fillings_share)
        height, width = frame.size
        for _ in range(_TRIES):
            matrix = _placement(scene, height, width, stage.window is None, rng)
            coverage, categories = _visible(scene, matrix, frame, stage.objects_per_image, rng)
            if categories:
                break
        shrinks = abs(np.linalg.det(matrix[:, :2])) < 1
        gray = cv2.warpAffine(
            scene.image,
            matrix,
            (width, height),
            flags=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        pixels = frame.normalised(torch.from_numpy(_exposed(gray.astype(np.float32), rng)))
        return Sample(pixels, None, frame, torch.from_numpy(coverage), categories, position)


def _frame(stage: Stage, rng: np.random.Generator) -> Frame:
    """A window at a random place of the token grid, or a whole image of a random width."""
    if stage.window is None:
        return Frame.of(512, int(rng.integers(56, 66)) * PATCH)
    tokens = stage.window // PATCH
    free = LONGEST // PATCH - tokens + 1
    # panoramics leave the lower part of the square empty
    top, left = int(rng.integers(free // 2 + 1)), int(rng.integers(free))
    return Frame(stage.window, stage.window, 1.0, tokens, tokens, top, left)


@lru_cache(maxsize=_KEPT)
def _scene(seed: int, shapes: bool, conditions_share: float, fillings_share: float) -> _Scene:
    rng = np.random.default_rng([seed, 77])
    width = int(rng.integers(880, 1100))
    if shapes:
        phantom = generate_shapes(seed, width, 512)
    else:
        hard = [str(rng.choice(CONDITIONS))] if rng.random() < conditions_share else []
        phantom = generate(seed, width, 512, hard)
    parts = []
    for item in phantom.objects:
        if item.category == "restoration" and rng.random() > fillings_share:
            continue
        x, y, w, h = cv2.boundingRect(item.mask.astype(np.uint8))
        if w and h:
            mask = item.mask[y : y + h, x : x + w].astype(np.uint8) * 255
            parts.append(_Part(x, y, mask, int(item.mask.sum()), item.category))
    return _Scene(phantom.image, parts)


def _placement(scene: _Scene, height: int, width: int, whole: bool, rng: np.random.Generator) -> np.ndarray:
    """A 2 x 3 matrix from scene to window pixels: turned, zoomed, mirrored; a window has some object inside."""
    centre = np.array(scene.image.shape[::-1]) / 2
    if whole:
        zoom = width / scene.image.shape[1] * float(rng.uniform(0.92, 1.12))
        source, target = centre, np.array([width / 2, height / 2]) + rng.uniform(-12, 12, 2)
    else:
        zoom = float(np.exp(rng.uniform(np.log(0.75), np.log(1.6))))
        source, target = centre, np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
        if scene.parts:
            part = scene.parts[int(rng.integers(len(scene.parts)))]
            source = np.array([part.x, part.y]) + np.array(part.mask.shape[::-1]) / 2
    angle = rng.normal(0, 0.03 if whole else 0.12)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    linear = zoom * np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    return np.column_stack([linear, target - linear @ source])


def _visible(
    scene: _Scene, matrix: np.ndarray, frame: Frame, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Coverage (P, 4 rows, 4 cols) and categories of up to `most` objects at least half inside the window."""
    height, width = frame.size
    rows, cols = frame.logits
    area_scale = abs(float(np.linalg.det(matrix[:, :2])))
    kept, categories = [], []
    for index in rng.permutation(len(scene.parts)):
        part = scene.parts[index]
        moved = matrix.copy()
        moved[:, 2] += matrix[:, :2] @ (part.x, part.y)
        mask = cv2.warpAffine(part.mask, moved, (cols * LOGIT_STRIDE, rows * LOGIT_STRIDE), flags=cv2.INTER_LINEAR)
        mask[height:] = 0
        mask[:, width:] = 0
        if cv2.sumElems(mask)[0] / 255 < max(_LEAST_AREA, _VISIBLE * part.area * area_scale):
            continue
        kept.append(cv2.resize(mask, (cols, rows), interpolation=cv2.INTER_AREA))
        categories.append(part.category)
        if len(kept) == most:
            break
    if not kept:
        return np.zeros((0, rows, cols), np.float32), ()
    return np.stack(kept).astype(np.float32) / 255, tuple(categories)


def _exposed(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another exposure: gamma, contrast, offset, blur or sharpening, grain; gray (h, w) 0..255."""
    unit: np.ndarray = np.clip(gray / 255, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
    unit = (unit - 0.5) * np.float32(np.exp(rng.normal(0, 0.2))) + np.float32(0.5 + rng.normal(0, 0.08))
    pick = rng.random()
    if pick < 0.3:
        unit = cv2.GaussianBlur(unit, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif pick < 0.5:
        unit = unit + np.float32(rng.uniform(0.3, 1.2)) * (unit - cv2.GaussianBlur(unit, (0, 0), 1.5))
    noise: np.ndarray = rng.standard_normal(unit.shape, dtype=np.float32)
    noise *= np.float32(abs(rng.normal(0, 0.025)))
    if rng.random() < 0.4:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8)
    return np.ascontiguousarray(np.clip(unit + noise, 0, 1) * 255, dtype=np.float32)
