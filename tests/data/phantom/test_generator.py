"""The phantom generator: the same seed gives the same bits, and what is drawn is what is annotated."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from dentasam.data.phantom import CONDITIONS, PART_CATEGORIES, Phantom, generate, generate_shapes, write_phantoms
from dentasam.errors import DatasetError, OutputError

from ...linked_away import linked_away

WIDTH, HEIGHT = 512, 256


def gradient_energy(image: NDArray[np.uint8]) -> float:
    grey = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1)  # the detector's grain is not the anatomy's edges
    return float(np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2))


def teeth(phantom: Phantom) -> dict[str, NDArray[np.bool_]]:
    return {o.category: o.mask for o in phantom.objects if o.category.isdigit()}


@pytest.mark.parametrize("draw", [generate, generate_shapes])
def test_seed_fixes_every_bit(draw) -> None:  # type: ignore[no-untyped-def]
    first, again, other = draw(3, WIDTH, HEIGHT), draw(3, WIDTH, HEIGHT), draw(4, WIDTH, HEIGHT)
    assert np.array_equal(first.image, again.image)
    assert [o.category for o in first.objects] == [o.category for o in again.objects]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first.objects, again.objects, strict=True))
    assert first.tags == again.tags
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(("width", "height"), [(512, 256), (452, 256), (300, 300), (200, 320)])
def test_masks_fit_the_image_and_are_not_empty(width: int, height: int) -> None:
    for seed in range(6):
        phantom = generate(seed, width, height)
        assert phantom.image.shape == (height, width)
        assert phantom.image.dtype == np.uint8
        assert phantom.objects
        for item in phantom.objects:
            assert item.mask.shape == (height, width)
            assert item.mask.dtype == np.bool_
            assert item.mask.any()


def test_teeth_have_their_fdi_number_once_and_stand_in_its_quadrant() -> None:
    for seed in range(15):
        phantom = generate(seed, WIDTH, HEIGHT)
        numbers = [o.category for o in phantom.objects if o.category.isdigit()]
        assert len(numbers) == len(set(numbers))
        centres = {}
        for number, mask in teeth(phantom).items():
            rows, columns = np.nonzero(mask)
            centres[number] = (columns.mean(), rows.mean())
        for quadrant in "1234":
            # the patient's right (quadrants 1 and 4) is the image's left; teeth go outward from 1 to 7
            along = [centres[f"{quadrant}{p}"][0] for p in range(1, 8) if f"{quadrant}{p}" in centres]
            outward = np.diff(along) if quadrant in "23" else -np.diff(along)
            assert (outward > -0.02 * WIDTH).all()
        left = [c[0] for n, c in centres.items() if n[0] in "14"]
        right = [c[0] for n, c in centres.items() if n[0] in "23"]
        upper = [c[1] for n, c in centres.items() if n[0] in "12"]
        lower = [c[1] for n, c in centres.items() if n[0] in "34"]
        if left and right:
            assert max(left) < min(right) + 0.05 * WIDTH
        if upper and lower:
            assert np.mean(upper) < np.mean(lower)


def test_a_molar_crown_is_brighter_than_its_root_and_than_what_surrounds_it() -> None:
    crowns, roots, outside = [], [], []
    for seed in range(12):
        phantom = generate(seed, WIDTH, HEIGHT)
        everything = np.any([o.mask for o in phantom.objects], axis=0)
        for number, mask in teeth(phantom).items():
            if number[1] not in "67":
                continue
            rows = np.flatnonzero(mask.any(axis=1))
            share = (np.arange(HEIGHT)[:, None] - rows[0]) / max(1, rows[-1] - rows[0])
            if number[0] in "12":
                share = 1 - share
            near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~everything
            crowns.append(phantom.image[mask & (share < 0.3)].mean())
            roots.append(phantom.image[mask & (share > 0.6)].mean())
            if (near & (share < 0.3)).any():
                outside.append(phantom.image[near & (share < 0.3)].mean())
    assert np.mean(crowns) > np.mean(roots) + 10
    assert np.mean(roots) > np.mean(outside) + 10


def test_conditions_are_tags_and_change_what_they_name() -> None:
    seeds = range(8)
    plain = {seed: generate(seed, WIDTH, HEIGHT) for seed in seeds}
    ill = {c: {seed: generate(seed, WIDTH, HEIGHT, [c]) for seed in seeds} for c in CONDITIONS}
    for condition, phantoms in ill.items():
        assert all(condition in p.tags for p in phantoms.values())
    assert all(not set(CONDITIONS) & set(p.tags) for p in plain.values())

    energy = [np.mean([gradient_energy(p.image) for p in group.values()]) for group in (ill["blurred"], plain)]
    assert energy[0] < 0.6 * energy[1]

    def shared(phantom: Phantom) -> float:
        stack = np.sum(list(teeth(phantom).values()), axis=0)
        return float((stack > 1).sum() / (stack > 0).sum())

    assert np.mean([shared(p) for p in ill["overlap"].values()]) > 2 * np.mean([shared(p) for p in plain.values()])

    def root_contrast(phantom: Phantom) -> float:
        found = []
        everything = np.any([o.mask for o in phantom.objects], axis=0)
        for number, mask in teeth(phantom).items():
            rows = np.flatnonzero(mask.any(axis=1))
            share = (np.arange(HEIGHT)[:, None] - rows[0]) / max(1, rows[-1] - rows[0])
            far = (share < 0.35) if number[0] in "12" else (share > 0.65)
            near = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~everything
            if (near & far).sum() > 10 and (mask & far).any():
                found.append(phantom.image[mask & far].mean() - phantom.image[near & far].mean())
        return float(np.mean(found))

    hazy = np.mean([root_contrast(p) for p in ill["ambiguous-boundary"].values()])
    assert hazy < 0.5 * np.mean([root_contrast(p) for p in plain.values()])
    white = [np.mean([(p.image > 215).mean() for p in group.values()]) for group in (ill["artifact"], plain)]
    assert white[0] > white[1]


def test_an_unknown_condition_and_a_tiny_size_are_refused() -> None:
    with pytest.raises(DatasetError, match="fog"):
        generate(0, conditions=["fog"])
    with pytest.raises(DatasetError, match="too small"):
        generate(0, 40, 20)


def test_written_set_reads_back_to_the_same_masks(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    path = write_phantoms(tmp_path, 3, 7, WIDTH, HEIGHT, None, lambda done, count: reported.append((done, count)))
    assert path == tmp_path / "phantoms.json"
    assert reported == [(1, 3), (2, 3), (3, 3)]
    document = json.loads(path.read_text())
    names = {c["id"]: c["name"] for c in document["categories"]}
    for index, image in enumerate(document["images"]):
        conditions = [t for t in image["tags"] if t in CONDITIONS]
        phantom = generate(7 * 1_000_003 + index, WIDTH, HEIGHT, conditions)
        written = cv2.imread(str(tmp_path / image["file_name"]), cv2.IMREAD_UNCHANGED)
        assert written is not None
        assert np.array_equal(written, phantom.image)
        rows = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        assert len(rows) == len(phantom.objects)
        for row, item in zip(rows, phantom.objects, strict=True):
            rle = {"size": row["segmentation"]["size"], "counts": row["segmentation"]["counts"].encode()}
            assert names[row["category_id"]] == item.category
            assert np.array_equal(coco_mask.decode(rle).astype(bool), item.mask)
            assert row["area"] == item.mask.sum()
            assert row["bbox"] == coco_mask.toBbox(rle).tolist()
    with pytest.raises(OutputError, match="exists already"):
        write_phantoms(tmp_path, 1, 7, WIDTH, HEIGHT)


def test_parts_of_every_look_lie_in_a_tooth_and_in_each_other() -> None:
    """Bright and dark fillings, crowns, root fillings with posts in them, caries; lesions at the ends of roots."""
    contrast: dict[str, list[float]] = {}
    crowns = posts = 0
    for seed in range(60):
        phantom = generate(seed, 2 * WIDTH, 2 * HEIGHT)
        outlines = list(teeth(phantom).values())
        roots = [o.mask for o in phantom.objects if o.category == "root filling"]
        for item in phantom.objects:
            if item.category not in PART_CATEGORIES:
                continue
            inside = [(tooth & item.mask).sum() / item.mask.sum() for tooth in outlines]
            best = int(np.argmax(inside))
            own = outlines[best]
            near = cv2.dilate(item.mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~item.mask
            if (near & own).any():
                difference = phantom.image[item.mask].mean() - phantom.image[near].mean()
                contrast.setdefault(item.category, []).append(float(difference))
            if item.category in ("root filling", "caries"):
                assert inside[best] == 1
                assert item.mask.sum() < 0.4 * own.sum()
            if item.category == "restoration" and inside[best] == 1:
                crowns += item.mask.sum() > 0.3 * own.sum()
                posts += any((root & item.mask).sum() == item.mask.sum() for root in roots)
    assert {category: len(found) > 5 for category, found in contrast.items()} == dict.fromkeys(
        PART_CATEGORIES - {"bridge"}, True
    )
    assert np.median(contrast["root filling"]) > 20
    assert np.median(contrast["caries"]) < -8
    assert np.median(contrast["periapical lesion"]) < -8
    fillings = np.array(contrast["restoration"])
    assert (fillings > 60).mean() > 0.4
    assert 0.01 < (fillings < -5).mean() < 0.3
    assert crowns > 5
    assert posts > 2


def test_root_fillings_end_where_a_crown_hides_them() -> None:
    hidden = 0
    for seed in range(40):
        phantom = generate(seed, 2 * WIDTH, 2 * HEIGHT)
        crowns = [o.mask for o in phantom.objects if o.category == "restoration" and o.mask.sum() > 1500]
        for item in phantom.objects:
            if item.category == "root filling":
                hidden += sum(int((item.mask & crown).sum() > 0.2 * item.mask.sum()) for crown in crowns)
    assert hidden == 0


def test_shapes_are_many_and_some_overlap() -> None:
    counts, overlaps = [], []
    for seed in range(10):
        phantom = generate_shapes(seed, WIDTH, HEIGHT)
        assert {o.category for o in phantom.objects} == {"shape"}
        counts.append(len(phantom.objects))
        overlaps.append((np.sum([o.mask for o in phantom.objects], axis=0) > 1).any())
    assert all(10 <= count <= 40 for count in counts)
    assert any(overlaps)


@pytest.mark.parametrize("place", ["images", "images/phantom-00001.png"])
def test_nothing_is_written_through_a_link(tmp_path: Path, place: str) -> None:
    with linked_away(tmp_path / "out" / place, tmp_path / "outside"):
        write_phantoms(tmp_path / "out", 2, 7, WIDTH, HEIGHT)
