"""How the command speaks: results on stdout, faults as one line on stderr, and the exit codes behind them."""

import logging
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import typer

from dentasam.errors import DentasamError

DONE, FAULT, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
TRACEBACK_VARIABLE = "DENTASAM_TRACEBACK"


def say(text: str) -> None:
    """Prints one line of a result, at once: a command's output is often piped into a log."""
    print(text, flush=True)


def complain(message: str) -> None:
    """One line on stderr; line breaks inside a message (a path may hold one) are folded."""
    print(f"dentasam: {' '.join(message.split())}", file=sys.stderr, flush=True)


class _Notices(logging.Handler):
    """Shows what was assumed about an image as the command shows everything on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


def show_notices() -> None:
    """Shows each notice of `dentasam.data.notices` as one line on stderr."""
    log = logging.getLogger("dentasam.data.notices")
    if not any(isinstance(handler, _Notices) for handler in log.handlers):
        log.addHandler(_Notices())


def warn(message: str) -> None:
    """One line on stderr about what does not stop the command."""
    complain(f"warning: {message}")


def run(command: Callable[[], object]) -> NoReturn:
    """Runs a parsed or half-parsed command and leaves the process with the code its outcome deserves.

    0 done; 2 wrong use or bad input, one line without a traceback; 130 stopped from the keyboard; 1 a fault
    of ours, one line unless `--traceback` (or DENTASAM_TRACEBACK=1) asks for the whole of it.
    """
    show_notices()
    try:
        outcome = command()
    except DentasamError as fault:
        if wants_traceback():
            traceback.print_exc()
        complain(str(fault))
        sys.exit(WRONG_USE)
    except typer.TyperException as fault:
        _complain_of_usage(fault)
        sys.exit(fault.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        complain("stopped")
        sys.exit(INTERRUPTED)
    except Exception as fault:
        if wants_traceback():
            traceback.print_exc()
        hint = "" if wants_traceback() else f" (`dentasam --traceback …` or {TRACEBACK_VARIABLE}=1 shows where)"
        complain(f"a fault of ours: {type(fault).__name__}: {fault}{hint}")
        sys.exit(FAULT)
    if outcome == INTERRUPTED:
        complain("stopped")
    sys.exit(outcome if isinstance(outcome, int) else DONE)


def wants_traceback() -> bool:
    return os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0")


def _complain_of_usage(fault: typer.TyperException) -> None:
    message = fault.format_message()
    context = getattr(fault, "ctx", None)
    if context is None:
        complain(message)
    elif not message.strip() or "\n" in message:
        # A group named without a command: the parser offers its help as the message, or has already shown it.
        print(message, file=sys.stderr, end="")
    else:
        complain(f"{message.rstrip('.')}; see `{context.command_path} --help`")
