"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.model.core.precision import Precision

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset
    from dentasam.model.segmenter import Segmenter

BUNDLED_MODEL, BUNDLED_ADAPTER = "dentasam-tiny", "panoramic-teeth"


class Runtime(StrEnum):
    """Those of dentasam.model.runtime, which the command's start-up must not import."""

    torch = "torch"
    onnx = "onnx"


Recipe = Annotated[str, typer.Option("--recipe", metavar="NAME|FILE", help="Bundled recipe or a YAML file.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard, under --out.")]
Cpu = Annotated[bool, typer.Option("--cpu", help="Train on the CPU even where there is a GPU.")]
Model = Annotated[
    str, typer.Option("--model", metavar="NAME|PATH", help="Model's name, checkpoint, exported folder.")
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, …; the best at hand if left out.")]
OnRuntime = Annotated[
    Runtime | None,
    typer.Option(
        "--runtime",
        help="What computes: torch, or ONNX Runtime on the CPU, for which the model is exported once; "
        "onnx for an exported folder, else torch, if left out.",
    ),
]
OfEncoder = Annotated[
    Precision,
    typer.Option("--precision", help="Of the encoder's arithmetic; auto is bf16 where the device is fast at it."),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        metavar="NAME|DIR",
        help=f"LoRA adapter, `none` for none; {BUNDLED_ADAPTER} on the bundled model if left out.",
    ),
]

ChartHead = Annotated[
    str | None,
    typer.Option(
        "--chart-head", metavar="DIR", help="Folder of a chart head, where it is not in the adapter's own folder."
    ),
]
Windows = Annotated[
    bool,
    typer.Option(
        "--windows/--no-windows",
        help="Decode each object in a window cut from the image's own pixels, or all on the whole image.",
    ),
]
Repair = Annotated[
    bool,
    typer.Option("--repair/--no-repair", help="Change the mask around a click that it still contradicts, or not."),
]

Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Folder of the COCO file's images; found beside it, as COCO, CVAT and Roboflow lay them, if left out.",
    ),
]


FollowLinks = Annotated[
    bool,
    typer.Option("--follow-links", help="Also read files that are links out of the folder, as of git-annex and DVC."),
]


def load_dataset(path: Path, images: Path | None = None, follow_links: bool = False) -> "Dataset":
    """The COCO dataset at `path`; a line on stderr for what was passed over in it."""
    from dentasam.cli.console import warn
    from dentasam.data.dataset import Dataset

    dataset = Dataset.load(path, images, follow_links=follow_links)
    for note in dataset.notes:
        warn(f"{path}: {note}")
    return dataset


def chosen_adapter(model: str, adapter: str | None) -> str | None:
    """The adapter to load: `none` takes none off, and the bundled model has its own unless another is named."""
    if adapter is None:
        return BUNDLED_ADAPTER if model == BUNDLED_MODEL else None
    return None if adapter == "none" else adapter


def load_segmenter(
    model: str,
    adapter: str | None,
    device: str | None,
    runtime: Runtime | None,
    precision: Precision,
    chart: str | None = None,
) -> "Segmenter":
    """The segmenter that the options ask for; a line on stderr where it is exported first."""
    from dentasam.cli.console import complain
    from dentasam.model.runtime import load

    asked = None if runtime is None else runtime.value
    return load(model, adapter, device, precision, chart=chart, runtime=asked, announce=complain)
