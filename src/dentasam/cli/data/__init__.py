"""`dentasam data`: a file for each command."""

import typer

from dentasam.cli.data.check import check
from dentasam.cli.data.deidentify import deidentify
from dentasam.cli.data.exporting import export
from dentasam.cli.data.formats import formats
from dentasam.cli.data.importing import import_
from dentasam.cli.data.phantom import phantom
from dentasam.cli.data.split import split

app = typer.Typer(
    no_args_is_help=True, help="Import, export, check, split and de-identify datasets; make synthetic ones."
)
app.command("import")(import_)
for command in (export, formats, check, split, deidentify, phantom):
    app.command()(command)
