"""`dentasam data`: import, export, check and split datasets, and make phantoms."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dentasam.cli import options
from dentasam.cli.console import say, warn
from dentasam.data.formats.registry import SUMMARIES, Format

app = typer.Typer(no_args_is_help=True, help="Import, export, check and split datasets; make phantoms.")


Out = Annotated[Path, typer.Option("--out", help="Folder to write to; new or empty.")]


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A COCO JSON, or the folder of another format.")],
    out: Out,
    format: Annotated[Format, typer.Option("--format", help="What SOURCE is.")] = Format.coco,
    images: options.Images = None,
    crowd_as_objects: Annotated[
        bool,
        typer.Option("--crowd-as-objects", help="Take iscrowd 1 for an object, for masks from CVAT or Datumaro."),
    ] = False,
) -> None:
    """Write a COCO dataset and its images under --out, from SOURCE."""
    from dentasam.data.dataset import Dataset
    from dentasam.data.formats.interface import ImportOptions
    from dentasam.data.formats.registry import import_dataset
    from dentasam.progress import shown

    with shown("import", "images", transient=True) as update:
        chosen = ImportOptions(images, crowd_as_objects, lambda line: warn(f"{source}: {line}"), update)
        path = import_dataset(format.value, source, out, chosen)
    _say_size(path, Dataset.load(path))


@app.command()
def export(
    dataset: Annotated[Path, typer.Argument(help="A COCO JSON.")],
    out: Out,
    format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.coco,
    images: options.Images = None,
) -> None:
    """Write a dataset and its images under --out in another format."""
    from dentasam.data.formats.registry import export_dataset

    loaded = options.load_dataset(dataset, images)
    notes = export_dataset(format.value, loaded, out)
    _say_size(out, loaded)
    for note in notes:
        say(f"note: {note}")


@app.command()
def formats() -> None:
    """List the formats that `import` reads and `export` writes."""
    for name in Format:
        say(f"{name.value:<8} {SUMMARIES[name]}")


@app.command()
def check(
    dataset: Annotated[Path, typer.Argument(help="A COCO JSON.")],
    images: options.Images = None,
) -> None:
    """List everything that is wrong or doubtful in a dataset; exit code 2 where there is an error."""
    from dentasam.data.check import find_problems
    from dentasam.errors import DatasetError
    from dentasam.progress import shown

    with shown("check", "images", transient=True) as update:
        problems = find_problems(dataset, images, update)
    for problem in problems:
        say(f"{problem.severity}: {problem.line(dataset)}")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise DatasetError(f"{dataset} has {errors} error{'s' * (errors > 1)}, listed above; fix and check again")
    say(f"{dataset}: no errors, {len(problems)} warning{'s' * (len(problems) != 1)}")


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
