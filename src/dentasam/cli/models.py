"""`dentasam models`: which models there are, fetch one, look into one, merge an adapter into one, export one."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say

app = typer.Typer(no_args_is_help=True, help="List, fetch, inspect, merge and export models.")

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name or a checkpoint's path.")]


@app.command("list")
def list_() -> None:
    """List the models that have a name, and where each is."""
    from dentasam.model.checkpoints.registry import BUNDLED, entries

    for entry in entries():
        fix = "install dentasam again" if entry.name == BUNDLED else f"dentasam models fetch {entry.name}"
        place = entry.path or f"not here: {fix}"
        say(f"{entry.name:<16} {entry.origin:<36} {place}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `dentasam models list`.")],
) -> None:
    """Download an official SAM-HQ checkpoint, checked for integrity, into the Hugging Face cache."""
    from dentasam.model.checkpoints.registry import fetch as fetch_model

    say(str(fetch_model(name)))


@app.command()
def inspect(model: Model) -> None:
    """Show a checkpoint's kind, size, number type and hash; a file that is not a SAM-HQ model is refused."""
    from dentasam.model.checkpoints.loading import inspect_checkpoint

    found = inspect_checkpoint(model)
    say(f"name        {found.info.name}")
    say(f"kind        {found.info.kind}")
    say(f"parameters  {found.parameters:,}")
    say(f"stored as   {', '.join(found.dtypes)}")
    say(f"size        {found.bytes / 1e6:.1f} MB")
    say(f"sha256      {found.info.sha256}")
    say(f"file        {found.info.path}")


@app.command()
def merge(
    model: Model,
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="An adapter's name or folder.")],
    out: Annotated[Path, typer.Option("--out", help="File to write, ending in .safetensors; must be new.")],
    half: Annotated[bool, typer.Option(help="Store numbers in fp16; --no-half in fp32, twice the size.")] = True,
) -> None:
    """Write a plain checkpoint that computes what MODEL with ADAPTER computes."""
    from dentasam.errors import OutputError
    from dentasam.model.adapters.loading import load_adapter
    from dentasam.model.adapters.merging import merge_adapter
    from dentasam.model.checkpoints.loading import load_model
    from dentasam.model.checkpoints.saving import save_checkpoint

    if out.suffix != ".safetensors":
        raise OutputError(f"{out}: a checkpoint is written as safetensors; end --out in .safetensors")
    if out.exists():
        raise OutputError(f"{out}: exists already; choose another --out or remove it")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: there is no folder {out.parent}; make it or choose another --out")
    base, info = load_model(model)
    load_adapter(base, adapter, info.sha256, base_name=info.name)
    save_checkpoint(merge_adapter(base, source=adapter), out, half=half)
    say(str(out))


@app.command()
def export(
    model: Model,
    out: Annotated[Path, typer.Option("--out", help="Folder for the graphs and their card; new or empty.")],
    adapter: options.Adapter = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="As ONNX, the one format there is.")] = True,
    int8: Annotated[bool, typer.Option("--int8", help="The encoder's linear layers in 8-bit integers.")] = False,
) -> None:
    """Write MODEL, with an adapter merged in, as encoder.onnx, decoder.onnx and dentasam.json.

    They take whole images and object windows, and give the mask of each object and its choices.
    """
    from dentasam.files.output_folder import claim_folder
    from dentasam.model.onnx.export import export_onnx, require
    from dentasam.model.segmenter import load_torch

    require("onnx", "onnxscript", *(["onnxruntime"] if int8 else []))
    claim_folder(out)
    card = export_onnx(load_torch(model, options.chosen_adapter(model, adapter), device="cpu"), out)
    if int8:
        from dentasam.model.onnx.int8 import quantise_encoder

        card = quantise_encoder(out)
    merged = f" with {card.adapter.name}" if card.adapter else ""
    numbers = f"int8 ({card.int8})" if card.int8 else "float32"
    say(f"{card.base_model}{merged}, {card.kind}, opset {card.opset}, {numbers}, with object windows → {out}")
