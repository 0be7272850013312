"""`dentasam data`: import, export, check and split datasets, and make phantoms."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dentasam.cli import options
from dentasam.cli.console import say, warn
from dentasam.cli.data_check import check
from dentasam.data.formats.registry import Format
from dentasam.data.teeth.numbering import Numbering

app = typer.Typer(no_args_is_help=True, help="Import, export, check and split datasets; make phantoms.")


Out = Annotated[Path, typer.Option("--out", help="Folder to write to; new or empty.")]


Numbers = Annotated[
    Numbering | None,
    typer.Option("--numbering", help="How teeth are numbered there: fdi, universal or palmer."),
]


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="An annotation file, a folder, or a zip or tar archive of one.")],
    out: Out,
    format: Annotated[Format | None, typer.Option("--format", help="What SOURCE is; recognised if left out.")] = None,
    images: options.Images = None,
    numbering: Numbers = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images and objects with an error, and list them.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an import that was interrupted.")] = False,
    crowd_as_objects: Annotated[
        bool,
        typer.Option("--crowd-as-objects", help="Take iscrowd 1 for an object, for masks from CVAT or Datumaro."),
    ] = False,
) -> None:
    """Write a COCO dataset and its images under --out, from SOURCE in any format of `dentasam data formats`."""
    from dentasam.data.dataset import Dataset
    from dentasam.data.formats.interface import ImportOptions
    from dentasam.data.formats.registry import import_dataset
    from dentasam.progress import shown

    def tell(line: str) -> None:
        warn(f"{source}: {line}")

    left_out: list[str] = []
    recognised: list[str] = []
    with shown("import", "images", transient=True) as update:
        given = ImportOptions(
            images=images,
            crowd_as_objects=crowd_as_objects,
            numbering=numbering,
            resume=resume,
            skip_bad=left_out.append if skip_bad else None,
            report=tell,
            progress=update,
            unpacking=lambda done, total: update(0, 1, f"unpacking, {100 * done // max(total, 1)} %"),
            recognised=recognised.append,
        )
        path = import_dataset(format and format.value, source, out, given)
    if format is None:
        say(f"{source}: read as {recognised[0]}")
    for line in left_out:
        warn(f"left out: {line}")
    _say_size(path, Dataset.load(path))
    if left_out:
        say(f"left out: {len(left_out)} with errors, listed above")


@app.command()
def export(
    dataset: Annotated[Path, typer.Argument(help="A COCO JSON.")],
    out: Out,
    format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.coco,
    images: options.Images = None,
    numbering: Numbers = None,
) -> None:
    """Write a dataset and its images under --out in another format."""
    from dentasam.data.formats.registry import export_dataset
    from dentasam.progress import shown

    loaded = options.load_dataset(dataset, images)
    with shown("export", "images", transient=True) as update:
        notes = export_dataset(format.value, loaded, out, numbering, update)
    _say_size(out, loaded)
    for note in notes:
        say(f"note: {note}")


@app.command()
def formats() -> None:
    """List the formats that `import` reads and `export` writes, and what each keeps and loses."""
    from dentasam.data.formats.registry import FORMATS

    for name, info in FORMATS.items():
        directions = " and ".join(word for word, there in (("in", info.reads), ("out", info.writes)) if there)
        say(f"{name.value:<13} {directions:<10} {info.summary}")
        for what, text in (
            ("keeps", info.keeps),
            ("loses", info.loses),
            ("polygons", info.polygons),
            ("needs", f"pip install 'dentasam[{info.extra}]'" if info.extra else ""),
        ):
            if text:
                say(f"{'':<24} {what}: {text}")


app.command()(check)


@app.command()
def split(
    dataset: Annotated[Path, typer.Argument(help="A COCO JSON.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the parts and a copy of the images; beside DATASET if left out."),
    ] = None,
    train: Annotated[float, typer.Option(help="Share of images for train.json.")] = 0.8,
    val: Annotated[float, typer.Option(help="Share of images for val.json.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of images for test.json; 0 leaves it out.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same split.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace parts that are there.")] = False,
    images: options.Images = None,
    patient_pattern: Annotated[
        str | None,
        typer.Option(
            "--patient-pattern",
            metavar="REGEX",
            help="Keep patients together, whose id its first group, or that named `patient`, finds in file names.",
        ),
    ] = None,
    patient_tag: Annotated[
        str | None,
        typer.Option(
            "--patient-tag",
            metavar="TAG",
            help="Keep patients together, whose id is this DICOM element: PatientID, or digits as 00100020.",
        ),
    ] = None,
    patient_csv: Annotated[
        Path | None,
        typer.Option(
            "--patient-csv",
            metavar="FILE",
            help="Keep patients together, from a CSV table with the columns file_name and patient.",
        ),
    ] = None,
) -> None:
    """Split the images with objects so that train, val and test hold the same share of every tag.

    With one of --patient-pattern, --patient-tag and --patient-csv the images of each patient are in one part.
    """
    from dentasam.data.splits.patients import patient_source
    from dentasam.data.splits.split import write_split

    # Errors in the arguments are found before a large dataset is read.
    patients = patient_source(patient_pattern, patient_tag, patient_csv)
    loaded = options.load_dataset(dataset, images)
    fractions = {"train": train, "val": val, "test": test}
    done = write_split(loaded, fractions, seed, out, overwrite, patients)
    for part in done.parts.values():
        line = _size(part.path, part.images, part.objects)
        if part.patients is not None:
            line += f", {part.patients} patient{'s' * (part.patients != 1)}"
        say(line)
    if done.left_out:
        say(f"left out: {done.left_out} image{'s' * (done.left_out != 1)} without any object")


@app.command()
def phantom(
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")] = 0,
    width: Annotated[int, typer.Option(min=128, max=8192, help="Pixels across.")] = 1024,
    height: Annotated[int, typer.Option(min=64, max=8192, help="Pixels down.")] = 512,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="blurred, ambiguous-boundary, overlap or artifact, for every image; may be repeated.",
        ),
    ] = None,
    dentition: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="adult, gaps, closed, hypodontia, irregular, implants, bridges, supernumerary, mixed, deciduous; "
            "any draws one for each image.",
        ),
    ] = "adult",
    layout: Annotated[
        str,
        typer.Option(metavar="KIND", help="usual, or any: jaws zoomed, shifted, bent, stretched and cut off."),
    ] = "usual",
) -> None:
    """Make synthetic panoramics with FDI-numbered teeth, as a COCO dataset."""
    from dentasam.data.dataset import Dataset
    from dentasam.data.phantom import write_phantoms
    from dentasam.progress import shown

    with shown("phantoms", "images", transient=True) as update:
        kinds: dict[str, Any] = {"dentition": dentition, "layout": layout}  # checked where a phantom is drawn
        path = write_phantoms(out, count, seed, width, height, condition or None, progress=update, **kinds)
    _say_size(path, Dataset.load(path))


def _say_size(path: Path, dataset: object) -> None:
    say(_size(path, len(dataset.images), dataset.objects))  # type: ignore[attr-defined]


def _size(path: Path, images: int, objects: int) -> str:
    return f"{path}: {images} image{'s' * (images != 1)}, {objects} object{'s' * (objects != 1)}"


@app.command()
def deidentify(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="An image, or a folder of images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; new, empty, or of an earlier run.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Secret key and map back, made where missing; OUT.key.json if left out."),
    ] = None,
    blank: Annotated[
        list[str] | None,
        typer.Option("--blank", metavar="X,Y,W,H", help="A rectangle to make black in every image; may be repeated."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="A PNG of the images' size; what is not 0 in it is made black.")
    ] = None,
    ocr: Annotated[
        str, typer.Option("--ocr", metavar="HOW", help="Text in the picture: off, report or blank (extra ocr).")
    ] = "off",
    report: Annotated[
        Path | None, typer.Option("--report", help="CSV or JSON of every tag touched; OUT/report.csv if left out.")
    ] = None,
) -> None:
    """Write copies without identifying data; exit code 2 where a file could not be written safely."""
    from dentasam.data.deidentify.regions import Blanking
    from dentasam.data.deidentify.run import LIMITS, Options, deidentify
    from dentasam.errors import DatasetError
    from dentasam.progress import shown

    if ocr not in ("off", "report", "blank"):
        raise typer.BadParameter(f"{ocr!r:.40} is not one of off, report, blank", param_hint="--ocr")
    with shown("deidentify", "files", transient=True) as update:
        outcome = deidentify(source, out, Options(key, report, Blanking.of(blank or (), mask), ocr, update))
    for line in outcome.warnings:
        warn(line)
    for line in outcome.failed:
        say(f"not delivered: {line}")
    count, failed = len(outcome.delivered), len(outcome.failed)
    say(f"{out}: {count} image{'s' * (count != 1)} de-identified; every tag touched: {outcome.report}")
    say(f"{outcome.key}: the key and the original values; keep it apart from the images")
    say(f"note: {LIMITS}")
    if failed:
        raise DatasetError(
            f"{failed} file{'s' * (failed > 1)} of {source} not delivered, listed above; fix and run again"
        )
