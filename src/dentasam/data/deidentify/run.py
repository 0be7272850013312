"""De-identifying a file or a folder of files: names, the key file, the report, and what could not be delivered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dentasam.data.deidentify.delivery import Delivery, remove_delivered
from dentasam.data.deidentify.keyed_map import KeyedMap, load_key
from dentasam.data.deidentify.ocr import text_finder
from dentasam.data.deidentify.regions import Blanking
from dentasam.data.deidentify.report import REPORT_NAME, Touch, write_report
from dentasam.data.deidentify.rules import library
from dentasam.data.images.kind import kind_of
from dentasam.data.images.listing import LeftOut, images_in
from dentasam.errors import DatasetError, DentasamError, ExtraError, ImageError, OutputError
from dentasam.files.output_folder import check_no_links, made_folder

# A crash loses the map of so many files at most; the next run with the key makes it again.
SAVE_EVERY = 100
LIMITS = (
    "nobody can promise that an image is anonymous: text in the picture that was neither found nor blanked stays, "
    "and teeth and fillings themselves identify a person to whoever has another image of them"
)
_OUR_NAME = re.compile(r"[0-9a-f]{16}(\.(dcm|png|jpg))?")


@dataclass(frozen=True)
class Options:
    """key: the key file, made where it is missing; None for `OUT.key.json` beside the output.

    report: None for `report.csv` in the output. ocr: `off`, `report` or `blank`. progress: takes the number of files
    done and of all. follow_links: also copy images that are links out of the source.
    """

    key: Path | None = None
    report: Path | None = None
    blanking: Blanking = field(default_factory=Blanking)
    ocr: str = "off"
    progress: Callable[[int, int], None] = lambda done, total: None
    follow_links: bool = False


@dataclass
class Outcome:
    """What a run did. failed: a line for each file that is not delivered; warnings: for those that need a look."""

    key: Path
    report: Path
    delivered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def deidentify(source: Path, out: Path, options: Options | None = None) -> Outcome:
    """Writes de-identified copies of the images in a file or folder to `out`, under names that the key makes.

    A file that fails is listed in the outcome and leaves nothing in `out`. A second run with the key writes the same
    files again. Raises OutputError where key, output or report cannot be used, DatasetError where the source is
    missing or holds no image, ExtraError where a package for DICOM files or for finding text is not installed.
    """
    options = options or Options()
    find_text = text_finder() if options.ocr != "off" else None
    outcome = _outcome(source, out, options)
    left_out = LeftOut()
    files = _files(source, out, left_out, options.follow_links)
    if any(_is_dicom(path) for _, path in files):
        library()  # before a key file is made that would be of nothing
    keyed = load_key(outcome.key) if outcome.key.exists() else KeyedMap.new()
    _claim(out, source, keyed)
    # Before the first file: nothing is delivered whose key is lost.
    keyed.save(outcome.key)
    outcome.warnings += [f"{source}: {line}" for line in left_out.lines()]
    delivery = Delivery(out, keyed, options.blanking, find_text, blank_text=options.ocr == "blank")
    touched: list[tuple[str, list[Touch]]] = []
    try:
        for done, (name, path) in enumerate(files, start=1):
            target = _target(name, keyed)
            try:
                delivered = delivery.deliver(path, name, target)
                outcome.delivered.append(delivered.name)
                outcome.warnings += delivered.warnings
                touched.append((delivered.name, delivered.touched))
            except ExtraError:
                raise
            except DentasamError as error:
                outcome.failed.append(str(error))
                remove_delivered(out, target)
            if done % SAVE_EVERY == 0:
                keyed.save(outcome.key)
            options.progress(done, len(files))
    finally:
        keyed.save(outcome.key)
        write_report(outcome.report, touched)
    return outcome


def _outcome(source: Path, out: Path, options: Options) -> Outcome:
    """Where key and report go. Raises OutputError where the key would be delivered, or the output is the source."""
    whole = Path(os.path.abspath(out))
    key = options.key or whole.with_name(f"{whole.name}.key.json")
    if _inside(key, out):
        raise OutputError(f"{key} lies in --out, and would be handed on with the images; name another --key")
    if _inside(source, out):
        raise OutputError(f"{source} lies in --out ({out}); name another --out")
    report = options.report or out / REPORT_NAME
    for path, option in ((key, "--key"), (report, "--report")):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file for {option}")
    if os.path.realpath(key) == os.path.realpath(report):
        raise OutputError(f"{key} cannot be key and report; name another --report")
    return Outcome(key, report)


def _inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _files(source: Path, out: Path, left_out: LeftOut, follow_links: bool) -> list[tuple[str, Path]]:
    """Name inside the source and path of each image, sorted."""
    if source.is_file():
        return [(source.name, source)]
    if not source.is_dir():
        raise DatasetError(f"{source} does not exist; name an image or a folder of images")
    apart = Path(os.path.abspath(out))
    top = Path(os.path.abspath(source))
    found = sorted(images_in(top, left_out, apart, follow_links))
    if not found:
        raise DatasetError(f"{source} holds no PNG, JPEG, TIFF or DICOM image; name another folder")
    return found


def _is_dicom(path: Path) -> bool:
    try:
        return kind_of(path) == "DICOM"
    except ImageError:
        return False


def _claim(out: Path, source: Path, keyed: KeyedMap) -> None:
    """Makes the output folder. Raises OutputError where it holds what no run with this key and source has written.

    Names come from the paths inside the source: those of two sources may be the same.
    """
    held = made_folder(out)
    folder = os.path.realpath(source if source.is_dir() else source.parent)
    if keyed.outputs.get(os.path.realpath(out)) == folder:
        held = [name for name in held if not _OUR_NAME.fullmatch(name) and name != REPORT_NAME]
    if held:
        raise OutputError(f"{out} is in use (it holds {held[0]}); choose another folder or remove it")
    check_no_links(out)
    keyed.outputs[os.path.realpath(out)] = folder


def _target(name: str, keyed: KeyedMap) -> PurePosixPath:
    """The new path without suffix: each folder and the file get a name by the key, so that folders stay apart."""
    path = PurePosixPath(name)
    folders = [keyed.file(parent.as_posix() + "/") for parent in reversed(path.parents) if parent.name]
    return PurePosixPath(*folders, keyed.file(name))
