"""The `dentasam` command: its table of commands, and the entry point.

A command's file is imported when the command is named or the help lists it; those files import the other packages,
and so torch, inside their functions. Thus `dentasam --help` takes well under half a second.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
import typer.core
import typer.main

from dentasam.cli.console import TRACEBACK_VARIABLE, run
from dentasam.version import __version__

# Command → file in this folder and the function, or sub-app, that it holds; in the order of a user's work.
COMMANDS = {
    "demo": ("demo", "demo"),
    "data": ("data", "app"),
    "models": ("models", "app"),
    "pretrain": ("pretrain", "pretrain"),
    "train": ("train", "train"),
    "evaluate": ("evaluate", "evaluate"),
    "compare": ("compare", "compare"),
    "predict": ("predict", "predict"),
    "label": ("label", "label"),
    "bench": ("bench", "app"),
}


class LazyGroup(typer.core.TyperGroup):
    """A group whose commands are built from COMMANDS when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            # The parser suggests a near name from the commands it has seen built.
            self.commands.update({name: build_command(name) for name in COMMANDS})
            return None
        if cmd_name not in self.commands:
            self.add_command(build_command(cmd_name), cmd_name)
        return self.commands[cmd_name]


def build_command(name: str) -> Any:
    """The parser's command for one row of COMMANDS."""
    file, attribute = COMMANDS[name]
    member = getattr(import_module(f"dentasam.cli.{file}"), attribute)
    if isinstance(member, typer.Typer):
        command: Any = typer.main.get_group(member)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(member)
        command = typer.main.get_command(single)
    command.name = name
    return command


app = typer.Typer(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"dentasam {__version__}")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def dentasam(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error arose, not only its one line.")
    ] = False,
) -> None:
    """Adapt SAM-HQ to dental panoramic X-rays with LoRA and correction clicks; measure it click by click."""
    if traceback:
        # An environment variable, so that the processes a command starts follow it too.
        os.environ[TRACEBACK_VARIABLE] = "1"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the script and of `python -m dentasam`."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    run(lambda: typer.main.get_command(app)(args=arguments, prog_name="dentasam", standalone_mode=False))
