"""Radiographs from a PACS as a dataset: `images/UID.dcm`, `dataset.json`, and DICOM SEG objects beside them."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dentasam.data.dataset import Dataset
from dentasam.data.images.read import image_size
from dentasam.data.pacs.connection import ANSWER_SECONDS, Connection, connect
from dentasam.data.pacs.filters import parse_filters
from dentasam.data.pacs.query import find_images, find_segmentations
from dentasam.data.pacs.results import Instance
from dentasam.data.pacs.retrieve import fetch, is_whole, referenced_images
from dentasam.data.record import ImageRecord
from dentasam.documents.json_document import read_dataset_json
from dentasam.errors import ImageError, OutputError, PacsError
from dentasam.files.atomic_write import DRAFT_SUFFIX
from dentasam.files.output_folder import check_no_links, claim_folder, made_folder

DATASET_NAME, IMAGES, SEGMENTATIONS = "dataset.json", "images", "segmentations"
LIMIT = 1000
# So many failures in a row are the server's; going on would cost an answer's time for each instance.
MAX_FAILURES_IN_A_ROW = 5


def _ignore(*_: object) -> None:
    pass


def import_dicomweb(
    url: str,
    out: str | Path,
    filters: Sequence[str] = (),
    *,
    limit: int = LIMIT,
    with_seg: bool = False,
    resume: bool = False,
    insecure_http: bool = False,
    answer_seconds: float = ANSWER_SECONDS,
    report: Callable[[str], None] = _ignore,
    progress: Callable[[int, int], None] = _ignore,
) -> Path:
    """Writes the radiographs that match to `out/images`, and `out/dataset.json`, whose path is returned.

    url: the base of a DICOMweb service. filters: `KEY=VALUE`, as `parse_filters`. limit: the most images. with_seg:
    also writes the DICOM SEG objects that refer to the images, to `out/segmentations`. resume: `out` may hold an
    import already; what is whole in it is not fetched again. report: takes a line for each instance and reason to
    leave instances out. progress: takes the number of instances done and of all.

    One instance that fails does not end the import. Raises PacsError at the end where some failed, and at once where
    the server cannot be used or nothing matches; OutputError as `claim_folder`, and for a dataset with objects in
    `out`; ExtraError without dicomweb-client.
    """
    if limit < 1:
        raise PacsError(f"--limit {limit} takes no image; give 1 or more")
    out = Path(out)
    wanted = parse_filters(filters)
    connection = connect(url, insecure_http=insecure_http, answer_seconds=answer_seconds)
    _prepare(out, resume)
    images = find_images(connection, wanted, limit, report)
    failed = _fetch_all(connection, images, out / IMAGES, report, progress, image=True)
    there = {image.uid for image in images if (out / IMAGES / f"{image.uid}.dcm").exists()}
    if with_seg and there:
        failed += _fetch_segmentations(connection, images, there, out / SEGMENTATIONS, report)
    path = _write_dataset(out, report)
    if failed:
        raise PacsError(
            f"{connection.base}: {failed} instance{'s' * (failed != 1)} could not be imported, listed above; "
            f"{len(there)} image{'s are' if len(there) != 1 else ' is'} in {out}; --resume tries the rest again"
        )
    return path


def _prepare(out: Path, resume: bool) -> None:
    if not resume:
        claim_folder(out)
    else:
        foreign = set(made_folder(out)) - {IMAGES, SEGMENTATIONS, DATASET_NAME}
        if foreign:
            raise OutputError(f"{out} is not an import from a PACS (it holds {min(foreign)}); name the folder of one")
        if _may_hold_objects(out / DATASET_NAME):
            raise OutputError(f"{out / DATASET_NAME} holds objects, which would be lost; import into another --out")
        check_no_links(out)
    for folder in (out / IMAGES, out / SEGMENTATIONS):
        for draft in folder.glob(f".*{DRAFT_SUFFIX}"):
            draft.unlink(missing_ok=True)


def _may_hold_objects(path: Path) -> bool:
    try:
        return bool(read_dataset_json(path)["annotations"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _fetch_all(
    connection: Connection,
    instances: Sequence[Instance],
    folder: Path,
    report: Callable[[str], None],
    progress: Callable[[int, int], None],
    *,
    image: bool,
) -> int:
    """Fetches what is not there yet; returns how many failed, with those that were not tried any more."""
    made_folder(folder)
    failed = in_a_row = 0
    for done, instance in enumerate(instances, start=1):
        path = folder / f"{instance.uid}.dcm"
        try:
            if not is_whole(path, instance.uid, image=image):
                if path.is_file():
                    path.unlink()
                fetch(connection, instance, path, image=image)
            in_a_row = 0
        except (PacsError, ImageError) as error:
            failed += 1
            in_a_row += 1
            report(f"instance {instance.uid} is left out: {error}")
            if in_a_row == MAX_FAILURES_IN_A_ROW and done < len(instances):
                report(f"{in_a_row} instances in a row failed; {len(instances) - done} more are not tried")
                return failed + len(instances) - done
        progress(done, len(instances))
    return failed


def _fetch_segmentations(
    connection: Connection, images: Iterable[Instance], there: set[str], folder: Path, report: Callable[[str], None]
) -> int:
    """Fetches the SEG objects of the images' studies and keeps those of the images; returns how many failed."""
    studies = dict.fromkeys(image.study for image in images if image.uid in there)
    failed = kept = 0
    for study in studies:
        try:
            found = find_segmentations(connection, study)
        except PacsError as error:
            failed += 1
            report(f"the segmentations of study {study} are left out: {error}")
            continue
        failed += _fetch_all(connection, found, folder, report, _ignore, image=False) if found else 0
        for path in (folder / f"{instance.uid}.dcm" for instance in found):
            if path.exists() and not referenced_images(path) & there:
                path.unlink()
            kept += path.exists()
    report(f"{kept} DICOM SEG object{'s' * (kept != 1)} of these images")
    return failed


def _write_dataset(out: Path, report: Callable[[str], None]) -> Path:
    """Lists every image in the folder, also those of an earlier import, without objects."""
    records: list[ImageRecord] = []
    for path in sorted((out / IMAGES).glob("*.dcm")):
        try:
            height, width = image_size(path)
        except ImageError as error:
            report(f"left out of {DATASET_NAME}: {error}")
            continue
        place = Path(os.path.abspath(path))
        records.append(ImageRecord(len(records) + 1, place, f"{IMAGES}/{path.name}", width, height))
    target = out / DATASET_NAME
    return Dataset(target, tuple(records)).write(target) if records else target
