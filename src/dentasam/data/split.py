"""Splitting a dataset into train, val and test so that each holds its share of every tag.

Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data"
(ECML PKDD 2011): the rarest tag is dealt out first, each image to the part that still lacks most of it.
"""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.folders import with_images_under
from dentasam.errors import DatasetError, OutputError
from dentasam.output_folder import claim_folder

# Images without a tag are dealt out by this one, so that they too are spread evenly.
UNTAGGED = ""


def split(dataset: Dataset, fractions: Mapping[str, float], seed: int = 0) -> dict[str, Dataset]:
    """Deals the images with objects out into parts, named as in `fractions`; parts of fraction 0 are left out.

    Images without an object are in no part: a part of such images alone could be neither trained nor measured on.
    The sizes are the fractions rounded to whole images, at least one each; the same seed gives the same parts.
    Raises DatasetError for fractions that do not add up to 1 and for fewer images with objects than parts.
    """
    fractions = {name: share for name, share in fractions.items() if share != 0}
    shares = np.array(list(fractions.values()), np.float64)
    if not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        shown = ", ".join(f"{name} {share:g}" for name, share in fractions.items())
        raise DatasetError(f"{dataset.path}: the fractions ({shown}) must be positive and add up to 1; correct them")
    images = [image for image in dataset.images if image.objects]
    if len(images) < len(fractions):
        raise DatasetError(
            f"{dataset.path} has {len(images)} image{'s' * (len(images) != 1)} with objects, too few for "
            f"{len(fractions)} parts; label more"
        )
    tags = [frozenset(image.tags) or frozenset({UNTAGGED}) for image in images]
    dealt = _deal(tags, shares, np.random.default_rng(seed))
    ids = [image.id for image in images]
    return {
        name: dataset.subset(ids[index] for index in np.flatnonzero(dealt == part))
        for part, name in enumerate(fractions)
    }


def write_split(
    source: str | Path | Dataset,
    fractions: Mapping[str, float],
    seed: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> tuple[dict[str, Path], int]:
    """Splits a dataset, writes train.json, val.json and test.json, and counts the images left out.

    They are written beside the source, where its image paths hold; with `out` they go to that folder, and the images
    are copied there. Left out are those without an object. Raises DatasetError as `split` and `Dataset.load`;
    OutputError where a file is there already and `overwrite` is not set, where it would replace the source, and
    where `out` is in use.
    """
    dataset = source if isinstance(source, Dataset) else Dataset.load(source)
    path = dataset.path
    parts = split(dataset, fractions, seed)
    if not out and not dataset.image_folder.is_relative_to(Path(os.path.abspath(path)).parent):
        raise OutputError(
            f"{path}: its images lie in {dataset.image_folder}, outside the JSON's folder; give --out FOLDER, "
            "to which they are copied"
        )
    targets = {name: (Path(out) if out else path.parent) / f"{name}.json" for name in parts}
    for target in targets.values():
        if target.exists() and os.path.samefile(target, path):
            raise OutputError(f"{target} is the dataset to be split; rename it first")
        if target.exists() and not overwrite:
            raise OutputError(f"{target} is there already; move it away or allow overwriting")
    chosen = dataset.subset(image.id for part in parts.values() for image in part.images)
    if out:
        placed = with_images_under(chosen, Path(out) if overwrite else claim_folder(Path(out)))
        parts = {name: placed.subset(image.id for image in part.images) for name, part in parts.items()}
    for name, part in parts.items():
        part.write(targets[name])
    return targets, len(dataset.images) - len(chosen.images)


def _deal(tags: list[frozenset[str]], shares: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The part (N,) of each image."""
    order = draw.permutation(len(tags))
    room = _sizes(len(tags), shares)
    counts = Counter(tag for image in tags for tag in image)
    lacking = {tag: count * shares for tag, count in counts.items()}
    part = np.full(len(tags), -1)
    while (part < 0).any():
        left = Counter(tag for index in order if part[index] < 0 for tag in tags[index])
        rarest = min(left, key=lambda tag: (left[tag], tag))
        for index in order:
            if part[index] >= 0 or rarest not in tags[index]:
                continue
            open_parts = np.flatnonzero(room > 0)
            ties = draw.permutation(open_parts)
            chosen = max(ties, key=lambda p: (lacking[rarest][p], room[p]))
            part[index] = chosen
            room[chosen] -= 1
            for tag in tags[index]:
                lacking[tag][chosen] -= 1
    return part


def _sizes(images: int, shares: np.ndarray) -> np.ndarray:
    """Whole sizes of the parts, at least 1 each, that add up to `images`: largest remainders first."""
    exact = shares * images
    sizes = np.maximum(np.floor(exact + 1e-9), 1).astype(int)
    while sizes.sum() < images:
        sizes[np.argmax(exact - sizes)] += 1
    while sizes.sum() > images:
        sizes[np.argmax(np.where(sizes > 1, sizes - exact, -np.inf))] -= 1
    return sizes
