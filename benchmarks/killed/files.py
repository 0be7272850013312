"""Kills of commands that write files: in the end the files equal those of a run without a kill."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .commands import Commands, contents
from .tally import Tally

# The first run, with cold caches, takes longer than the others, and other work may slow any of them. So the longest
# time until a kill follows what happened: about one run in six comes to its end.
SOONER, LATER = 0.9, 1.02


class Writing:
    """A command that writes one folder and is killed until it has done so, again and again.

    begin, go_on: its arguments for an output that is not there yet, and for one that a killed run left; without
    `go_on` that is removed. result: what of the output must be equal, by name. done: the error of `go_on` where
    nothing is left to do, in a part of its line.
    """

    def __init__(
        self,
        name: str,
        commands: Commands,
        folder: Path,
        chance: random.Random,
        begin: Callable[[Path], list[str]],
        go_on: Callable[[Path], list[str]] | None = None,
        module: str = "dentasam",
        result: Callable[[Path], dict[str, bytes]] | None = None,
        done: str | None = None,
    ) -> None:
        self.tally = Tally(name)
        self._commands, self._folder, self._chance = commands, folder, chance
        self._begin, self._go_on, self._module = begin, go_on, module
        self._result, self._done = result or contents, done

    def prepare(self) -> None:
        self._folder.mkdir(parents=True)
        whole = self._folder / "whole"
        self._seconds = self._commands.run(*self._begin(whole), module=self._module)
        self._truth = self._result(whole)
        shutil.rmtree(whole)
        self._out = self._folder / "killed"

    def attack(self) -> None:
        self._start()
        time.sleep(self._chance.uniform(0, self._seconds))
        status = self._commands.kill()
        if os.WIFSIGNALED(status):
            self.tally.kills += 1
            self._seconds *= LATER
            return
        self._seconds *= SOONER
        self._end(status)

    def finish(self) -> None:
        self._start()
        self._end(self._commands.end())
        left = sorted(path.name for path in self._folder.iterdir())
        if left:
            self.tally.lost.append(f"left behind: {left[:5]}")

    def _start(self) -> None:
        if self._out.exists() and self._go_on is None:
            shutil.rmtree(self._out)
        arguments = self._go_on if self._go_on and self._out.exists() else self._begin
        self._commands.start(*arguments(self._out), module=self._module)

    def _end(self, status: int) -> None:
        """Compares what a run that came to its end has written, and removes it. status: as `os.waitpid` says."""
        # It was killed after its last write, before its end.
        done_before = self._done is not None and self._done in self._commands.printed()
        if status == 0 or done_before:
            self._compare()
        else:
            self.tally.lost.append(f"it does not go on: {self._commands.printed()[-300:]}")
            shutil.rmtree(self._out, ignore_errors=True)

    def _compare(self) -> None:
        self.tally.finished += 1
        found = self._result(self._out)
        self.tally.checked += len(self._truth)
        for name in sorted(self._truth.keys() | found.keys()):
            if self._truth.get(name) != found.get(name):
                self.tally.lost.append(f"{name} differs from a run without a kill")
        shutil.rmtree(self._out)


def imports(commands: Commands, folder: Path, source: Path, chance: random.Random) -> Writing:
    """`data import` of a dataset in LabelMe's format, gone on with by --resume."""
    arguments = ["data", "import", str(source), "--format", "labelme"]
    return Writing(
        "data import",
        commands,
        folder,
        chance,
        lambda out: [*arguments, "--out", str(out)],
        lambda out: [*arguments, "--out", str(out), "--resume"],
        done="nothing is left to resume",
    )


def exports(commands: Commands, folder: Path, dataset: Path, chance: random.Random) -> Writing:
    """`data export` as a PNG file for each object; what a killed run left is removed, as the command asks."""
    return Writing(
        "data export",
        commands,
        folder,
        chance,
        lambda out: ["data", "export", str(dataset), "--format", "png", "--out", str(out)],
    )


def training(commands: Commands, folder: Path, chance: random.Random) -> Writing:
    """A training run of the tests, of a few steps, with a state after every second one."""
    return Writing(
        "training",
        commands,
        folder,
        chance,
        lambda out: [str(out)],
        lambda out: [str(out), "--resume"],
        module="tests.training.small_run",
        result=lambda out: {path.name: path.read_bytes() for path in out.rglob("*.safetensors")},
    )
