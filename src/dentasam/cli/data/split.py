"""`dentasam data split`: train, val and test, by tags and by patient."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say
from dentasam.cli.data.arguments import size


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
    follow_links: options.FollowLinks = False,
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
    loaded = options.load_dataset(dataset, images, follow_links)
    fractions = {"train": train, "val": val, "test": test}
    done = write_split(loaded, fractions, seed, out, overwrite, patients)
    for part in done.parts.values():
        line = size(part.path, part.images, part.objects)
        if part.patients is not None:
            line += f", {part.patients} patient{'s' * (part.patients != 1)}"
        say(line)
    if done.left_out:
        say(f"left out: {done.left_out} image{'s' * (done.left_out != 1)} without any object")
