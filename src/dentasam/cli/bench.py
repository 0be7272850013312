"""`dentasam bench`: how fast this machine encodes, decodes, trains and labels, beside other implementations."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import typer

from dentasam.cli import options

app = typer.Typer(no_args_is_help=True, help="Measure encoding, decoding, training and labelling against peers.")

PACKAGE = "dentasam_benchmarks"
INSTALLED, CHECKOUT = Path(__file__).parents[1] / "benchmarks", Path(__file__).parents[3] / "benchmarks"

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the results as JSON.")]
Measured = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="vit_tiny, vit_b, vit_l or vit_h at random weights, or a model.",
    ),
]
Precision = Annotated[
    Literal["fp32", "bf16"], typer.Option(help="Of the arithmetic of all sides; bf16 by torch's autocast.")
]
Quick = Annotated[bool, typer.Option("--quick", help="Almost no work, to see that it runs.")]


@app.command()
def encode(
    json: Json = None,
    model: Measured = None,
    device: options.Device = None,
    precision: Precision = "fp32",
    quick: Quick = False,
) -> None:
    """One panoramic on its own token grid, on the padded square, and by transformers."""
    _bench("encode", json, model, device, quick, precision)


@app.command()
def decode(
    json: Json = None,
    model: Measured = None,
    device: options.Device = None,
    precision: Precision = "fp32",
    quick: Quick = False,
) -> None:
    """One object, 32 objects, each of the decoder's optimisations alone, and transformers."""
    _bench("decode", json, model, device, quick, precision)


@app.command()
def train(
    json: Json = None,
    model: Measured = None,
    device: options.Device = None,
    precision: Precision = "fp32",
    quick: Quick = False,
) -> None:
    """A training step beside a sample per tooth and a joint graph; an epoch with and without the embedding cache."""
    _bench("train", json, model, device, quick, precision)


@app.command()
def label(json: Json = None, quick: Quick = False) -> None:
    """The labelling server, from a click to its mask."""
    _bench("label", json, None, None, quick)


def _bench(
    name: str, json: Path | None, model: str | None, device: str | None, quick: bool, precision: str = "fp32"
) -> None:
    from rich.console import Console

    from dentasam.errors import OutputError

    if json is not None and not json.parent.is_dir():
        raise OutputError(f"{json}: there is no folder {json.parent}; make it or choose another --json")
    asked = benchmark("options").Options(model, device, quick, precision)
    report = benchmark(name).run(asked)
    report.show(Console())
    if json is not None:
        report.write(json)


def benchmark(name: str) -> ModuleType:
    """One file of the benchmarks, from inside the installed package or from the checkout around it."""
    if PACKAGE not in sys.modules:
        from dentasam.errors import DentasamError

        folder = next((place for place in (INSTALLED, CHECKOUT) if (place / "__init__.py").is_file()), None)
        if folder is None:
            raise DentasamError(
                f"{INSTALLED}: the benchmarks are missing from this installation; install dentasam again"
            )
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[PACKAGE])
    return importlib.import_module(f"{PACKAGE}.{name}")
