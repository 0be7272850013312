"""Splitting a dataset into train, val and test: a patient in one part, and every part its share of every tag."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.folders import with_images_under
from dentasam.data.splits.dealing import deal
from dentasam.data.splits.patients import PatientsOf, groups_of
from dentasam.errors import DatasetError, OutputError
from dentasam.files.output_folder import all_or_nothing


@dataclass(frozen=True)
class WrittenPart:
    """A part on the disk. patients: how many different ones it has, None where patients are not known."""

    path: Path
    images: int
    objects: int
    patients: int | None = None


@dataclass(frozen=True)
class WrittenSplit:
    """The parts by name, and how many images are in none of them because they have no object."""

    parts: dict[str, WrittenPart]
    left_out: int


def split(
    dataset: Dataset, fractions: Mapping[str, float], seed: int = 0, patients: dict[int, str] | None = None
) -> dict[str, Dataset]:
    """Deals the images with objects out into parts, named as in `fractions`; parts of fraction 0 are left out.

    Images without an object are in no part: a part of such images alone could be neither trained nor measured on.
    patients: the patient by the image's id; the images of a patient are in one part, and so are images with the same
    file. The sizes are the fractions rounded to whole images, at least one each, as near as groups of images permit
    (`dealing.deal`); the same seed gives the same parts. Raises DatasetError for fractions that do not add up to 1
    and for fewer images with objects, or patients, than parts.
    """
    fractions = {name: share for name, share in fractions.items() if share != 0}
    shares = np.array(list(fractions.values()), np.float64)
    if not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        shown = ", ".join(f"{name} {share:g}" for name, share in fractions.items())
        raise DatasetError(f"{dataset.path}: the fractions ({shown}) must be positive and add up to 1; correct them")
    images = [image for image in dataset.images if image.objects]
    groups = groups_of(images, patients)
    if len(groups) < len(fractions):
        what, fix = ("image", "label more") if patients is None else ("patient", "set a part to 0, or label more")
        raise DatasetError(
            f"{dataset.path} has {len(groups)} {what}{'s' * (len(groups) != 1)} with objects, too few for "
            f"{len(fractions)} parts; {fix}"
        )
    tags = [[images[place].tags for place in group] for group in groups]
    dealt = deal(tags, shares, np.random.default_rng(seed))
    ids: list[list[int]] = [[] for _ in fractions]
    for group, part in zip(groups, dealt, strict=True):
        ids[part] += [images[place].id for place in group]
    return {name: dataset.subset(ids[part]) for part, name in enumerate(fractions)}


def write_split(
    source: str | Path | Dataset,
    fractions: Mapping[str, float],
    seed: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
    patients: PatientsOf | None = None,
) -> WrittenSplit:
    """Splits a dataset and writes train.json, val.json and test.json.

    They are written beside the source, where its image paths hold; with `out` they go to that folder, and the images
    are copied there. patients: finds the patient of each image. Raises DatasetError as `split`, `patients` and
    `Dataset.load`; OutputError where a file is there already and `overwrite` is not set, where it would replace the
    source, and where `out` is in use.
    """
    dataset = source if isinstance(source, Dataset) else Dataset.load(source)
    path = dataset.path
    labelled = [image for image in dataset.images if image.objects]
    known = None if patients is None else patients(path, labelled)
    parts = split(dataset, fractions, seed, known)
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
            raise OutputError(f"{target} is there already; move it away, or replace it with --overwrite")
    # What an earlier split wrote is not removed after an error.
    with all_or_nothing(Path(out)) if out and not overwrite else nullcontext():
        if out:
            placed = with_images_under(dataset.subset(image.id for image in labelled), Path(out))
            parts = {name: placed.subset(image.id for image in part.images) for name, part in parts.items()}
        for name, part in parts.items():
            part.write(targets[name])
    written = {name: _written(targets[name], part, known) for name, part in parts.items()}
    return WrittenSplit(written, len(dataset.images) - len(labelled))


def _written(path: Path, part: Dataset, patients: dict[int, str] | None) -> WrittenPart:
    different = None if patients is None else len({patients[image.id] for image in part.images})
    return WrittenPart(path, len(part.images), part.objects, different)
