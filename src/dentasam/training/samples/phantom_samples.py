"""The sampler of pretraining: phantoms and synthetic shapes, cropped, rotated and exposed anew in each step.

A crop lies at a random place of the 1024 frame and has the positions of that place, because a model that has only
seen crops at the origin fails on whole images. All images of a step share the crop's place, and so one frame.

For object windows phantoms are drawn as large as radiographs are, and whole images are reduced from them.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from itertools import cycle, islice

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from dentasam.data.phantom import PART_CATEGORIES
from dentasam.model.core.frame import LOGIT_STRIDE, LONGEST, PATCH, Frame
from dentasam.training.recipe.step_plan import RunPlan, StepPlan
from dentasam.training.samples.area_warp import area_warp, inverse, mapped
from dentasam.training.samples.boxed_coverage import BoxedCoverage
from dentasam.training.samples.exposure import draw_exposure, exposed, processed, processed_image
from dentasam.training.samples.full_image import FullObjects, first_clicks
from dentasam.training.samples.phantom_scenes import Scene, SceneObject, click_on_part, draw_scene
from dentasam.training.samples.sample import Sample

# Drawn scenes that each loading process keeps in memory.
_SCENES_KEPT = 700
# An object is trained on where this share of it, and this area in frame pixels, is in the crop.
_MIN_VISIBLE_SHARE = 0.5
_MIN_AREA = 100
# Placements that are tried until some object is in the crop.
_MAX_PLACEMENTS = 8
# The least area of an object of an object window, in image pixels.
_MIN_FULL_AREA = 60
# Height over width of phantoms that are drawn as large as radiographs, as of common devices. A step's images share
# one frame, and there are few of them: a GPU prepares anew for every shape.
_FULL_ASPECTS = (0.43, 0.5, 0.566)
_FULL_FRAMES = tuple(Frame.of(round(LONGEST * aspect), LONGEST) for aspect in _FULL_ASPECTS)


class PhantomSamples(Dataset[list[Sample]]):
    """Item `step` is the list of this process's samples of that optimiser step, see `StepSamples`."""

    def __init__(self, plan: RunPlan, rank: int = 0, processes: int = 1) -> None:
        self.plan = plan
        self.rank = rank
        self.processes = processes
        self._full_scenes: OrderedDict[tuple[int, bool], Scene] = OrderedDict()

    def __len__(self) -> int:
        return self.plan.total_steps

    def __getitem__(self, step: int) -> list[Sample]:
        plan = self.plan.at(step)
        frame = _frame(plan, np.random.default_rng([self.plan.recipe.seed, step]))
        positions = np.array_split(np.arange(plan.images), self.processes)[self.rank]
        return [self._sample(plan, frame, int(position)) for position in positions]

    def _sample(self, plan: StepPlan, frame: Frame, position: int) -> Sample:
        if plan.full_widths is not None:
            return self._full_sample(plan, frame, plan.full_widths, position)
        rng = np.random.default_rng([self.plan.recipe.seed, plan.number, position])
        phantoms = self.plan.recipe.phantoms
        seed, shapes = int(rng.integers(phantoms.images)), bool(rng.random() < plan.shapes_share)
        scene = _scene(seed, shapes, phantoms.conditions_share, phantoms.fillings_share)
        height, width = frame.size
        for _ in range(_MAX_PLACEMENTS):
            matrix = _placement(scene, height, width, plan.crop is None, rng)
            coverage, categories = _visible(scene, matrix, frame, plan.objects_per_image, rng)
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
        exposure = draw_exposure(self.plan.recipe.augmentation, rng)
        gray = exposed(processed(gray.astype(np.float32), exposure), exposure)
        pixels = frame.normalised(torch.from_numpy(gray))
        return Sample(pixels, None, frame, torch.from_numpy(coverage), categories, position)

    def _full_sample(self, plan: StepPlan, frame: Frame, widths: tuple[int, int], position: int) -> Sample:
        """A whole image that is reduced from a phantom of a radiograph's size; in a window step with the latter."""
        rng = np.random.default_rng([self.plan.recipe.seed, plan.number, position])
        phantoms = self.plan.recipe.phantoms
        # All scenes of a step have the frame's aspect, so that they are neither cut nor continued.
        aspects = len(_FULL_FRAMES)
        seed = _FULL_FRAMES.index(frame) + aspects * int(rng.integers(-(-phantoms.images // aspects)))
        scene = self._full_scene(seed, bool(rng.random() < plan.shapes_share), widths)
        height, width = frame.size
        matrix = _placement(scene, height, width, True, rng)
        edges = matrix + np.column_stack([np.zeros((2, 2)), 0.5 - matrix[:, :2] @ (0.5, 0.5)])
        exposure = draw_exposure(self.plan.recipe.augmentation, rng)
        image = processed_image(scene.image, exposure)
        gray = area_warp(image, inverse(edges), height, width, cv2.BORDER_REFLECT_101)
        pixels = frame.normalised(torch.from_numpy(exposed(gray.astype(np.float32), exposure)))
        if plan.object_windows is None:
            coverage, categories = _visible(scene, matrix, frame, plan.objects_per_image, rng)
            return Sample(pixels, None, frame, torch.from_numpy(coverage), categories, position)
        parts = _window_parts(scene, edges, frame, plan.objects_per_image, phantoms.window_fillings, rng)
        masks = tuple(BoxedCoverage(part.y, part.x, part.mask) for part in parts)
        first = plan.object_windows.random_first
        clicks = first_clicks(masks, first, rng)
        for index, part in enumerate(parts):
            if rng.random() < phantoms.clicks_on_parts:
                clicks[index] = click_on_part(part, scene.objects, clicks[index], rng)
        full = FullObjects(image, masks, clicks, edges)
        rows, cols = frame.logits
        coverages = [_coverage(part, matrix, frame)[0] for part in parts]
        coverage = np.stack(coverages) if coverages else np.zeros((0, rows, cols), np.float32)
        categories = tuple(part.category for part in parts)
        return Sample(pixels, None, frame, torch.from_numpy(coverage), categories, position, full=full)

    def _full_scene(self, seed: int, shapes: bool, widths: tuple[int, int]) -> Scene:
        """A scene of a radiograph's size, kept in memory while all that are kept fit in `cache.decoded_mb`."""
        kept = self._full_scenes.get((seed, shapes))
        if kept is not None:
            self._full_scenes.move_to_end((seed, shapes))
            return kept
        rng = np.random.default_rng([seed, 78])
        width = int(rng.integers(widths[0], widths[1] + 1))
        phantoms = self.plan.recipe.phantoms
        # Every part is kept: a share of the windows is for them.
        height = round(width * _FULL_ASPECTS[seed % len(_FULL_ASPECTS)])
        scene = draw_scene(seed, shapes, width, height, phantoms.conditions_share, 1.0, rng)
        self._full_scenes[seed, shapes] = scene
        size = sum(other.bytes for other in self._full_scenes.values())
        while size > self.plan.recipe.cache.decoded_mb * 2**20 and len(self._full_scenes) > 1:
            size -= self._full_scenes.popitem(last=False)[1].bytes
        return scene


def _frame(plan: StepPlan, rng: np.random.Generator) -> Frame:
    """A crop at a random place of the token grid, or a whole image of a random size."""
    if plan.full_widths is not None:
        return _FULL_FRAMES[int(rng.integers(len(_FULL_FRAMES)))]
    if plan.crop is None:
        return Frame.of(512, int(rng.integers(56, 66)) * PATCH)
    tokens = plan.crop // PATCH
    free = LONGEST // PATCH - tokens + 1
    # Panoramics leave the lower part of the square empty
    top, left = int(rng.integers(free // 2 + 1)), int(rng.integers(free))
    return Frame(plan.crop, plan.crop, 1.0, tokens, tokens, top, left)


@lru_cache(maxsize=_SCENES_KEPT)
def _scene(seed: int, shapes: bool, conditions_share: float, fillings_share: float) -> Scene:
    rng = np.random.default_rng([seed, 77])
    width = int(rng.integers(880, 1100))
    return draw_scene(seed, shapes, width, 512, conditions_share, fillings_share, rng)


def _placement(scene: Scene, height: int, width: int, whole: bool, rng: np.random.Generator) -> np.ndarray:
    """A random 2 x 3 matrix from scene to crop pixels: rotated, zoomed, mirrored, with an object inside the crop."""
    centre = np.array(scene.image.shape[::-1]) / 2
    if whole:
        zoom = width / scene.image.shape[1] * float(rng.uniform(0.92, 1.12))
        source, target = centre, np.array([width / 2, height / 2]) + rng.uniform(-12, 12, 2)
    else:
        zoom = float(np.exp(rng.uniform(np.log(0.75), np.log(1.6))))
        source, target = centre, np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
        if scene.objects:
            part = scene.objects[int(rng.integers(len(scene.objects)))]
            source = np.array([part.x, part.y]) + np.array(part.mask.shape[::-1]) / 2
    angle = rng.normal(0, 0.03 if whole else 0.12)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    linear = zoom * np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    return np.column_stack([linear, target - linear @ source])


def _visible(
    scene: Scene, matrix: np.ndarray, frame: Frame, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Coverage (P, 4 rows, 4 cols) and categories of up to `most` objects that are at least half inside the crop."""
    rows, cols = frame.logits
    area_scale = abs(float(np.linalg.det(matrix[:, :2])))
    kept, categories = [], []
    for index in rng.permutation(len(scene.objects)):
        part = scene.objects[index]
        coverage, area = _coverage(part, matrix, frame)
        if area < max(_MIN_AREA, _MIN_VISIBLE_SHARE * part.area * area_scale):
            continue
        kept.append(coverage)
        categories.append(part.category)
        if len(kept) == most:
            break
    if not kept:
        return np.zeros((0, rows, cols), np.float32), ()
    return np.stack(kept), tuple(categories)


def _coverage(part: SceneObject, matrix: np.ndarray, frame: Frame) -> tuple[np.ndarray, float]:
    """Coverage (4 rows, 4 cols) 0..1 of a part of a scene placed by a matrix, and its area in frame pixels."""
    height, width = frame.size
    rows, cols = frame.logits
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (part.x, part.y)
    mask = cv2.warpAffine(part.mask, moved, (cols * LOGIT_STRIDE, rows * LOGIT_STRIDE), flags=cv2.INTER_LINEAR)
    mask[height:] = 0
    mask[:, width:] = 0
    coverage = cv2.resize(mask, (cols, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return coverage, cv2.sumElems(mask)[0] / 255


def _window_parts(
    scene: Scene, edges: np.ndarray, frame: Frame, most: int, fillings: float, rng: np.random.Generator
) -> list[SceneObject]:
    """`most` objects that are whole in the view, a share of them parts of others where there are as many.

    They are repeated where there are fewer, as by `filled_up`.
    """
    height, width = frame.size
    inside = []
    for part in scene.objects:
        tall, wide = part.mask.shape
        box = np.array([(0, 0), (wide, 0), (0, tall), (wide, tall)]) - 0.5
        corners = mapped(box + np.array([part.x, part.y]), edges)
        if part.area >= _MIN_FULL_AREA and (corners >= -0.5).all() and (corners <= (width - 0.5, height - 0.5)).all():
            inside.append(part)
    order = [inside[index] for index in rng.permutation(len(inside))]
    small = [part for part in order if part.category in PART_CATEGORIES]
    others = [part for part in order if part.category not in PART_CATEGORIES]
    first = round(fillings * most)
    return list(islice(cycle([*small[:first], *others, *small[first:]]), most))
