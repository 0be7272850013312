"""COCO instances with its images, in one folder that can be moved or sent as it is."""

from pathlib import Path

from dentasam.data.coco.text import coco_text
from dentasam.data.dataset import Dataset
from dentasam.data.formats.folders import DATASET_NAME, with_images_under
from dentasam.data.formats.interface import ImportOptions, WriteFile


def import_dataset(source: Path, out: Path, options: ImportOptions) -> Path:
    """Copies a COCO JSON and its images; polygons and uncompressed masks become compressed RLE."""
    dataset = Dataset.load(source, options.images, options.crowd_as_objects)
    for note in dataset.notes:
        options.report(note)
    return with_images_under(dataset, out, options.progress).write(out / DATASET_NAME)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `dataset.json`, which names the images as the dataset does."""
    text = coco_text(dataset.path, dataset.images, dataset.categories, dataset.info)
    write(DATASET_NAME, b"".join(map(str.encode, text)))
    return ()
