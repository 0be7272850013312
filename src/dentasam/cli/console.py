"""What the command prints: results on stdout, errors as one line on stderr; and its exit codes."""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import typer

from dentasam.documents.shown import cut, printable, without_middle
from dentasam.errors import DentasamError
from dentasam.files.full_disk import full_disk

DONE, INTERNAL_ERROR, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
TRACEBACK_VARIABLE = "DENTASAM_TRACEBACK"
# Characters of a line on stderr, which may hold two paths; and of what the parser says, which holds a whole argument.
MAX_LINE, MAX_USAGE = 2000, 300


def say(text: str) -> None:
    """Prints one line of a result, at once: a command's output is often piped into a log.

    Line breaks of names in it, and whatever a terminal would obey, are escaped.
    """
    print(printable(text), flush=True)


def markup(text: str) -> str:
    """A name as rich's markup, with what would not be seen in it."""
    from rich.markup import escape

    return escape(printable(text))


def complain(message: str) -> None:
    """Prints one line on stderr, cut where it is very long.

    Line breaks in the message, as in a path, become spaces; what a terminal would obey is escaped.
    """
    line = without_middle(printable(" ".join(message.split())), MAX_LINE)
    print(f"dentasam: {line}", file=sys.stderr, flush=True)


class _Notices(logging.Handler):
    """Prints what was assumed about an image like everything that the command prints on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and (wants_traceback() or record.levelno >= logging.ERROR):
            traceback.print_exception(record.exc_info[1])
        complain(record.getMessage())


def show_notices() -> None:
    """Shows each notice of `dentasam.data.notices`, and each warning of another room, as one line on stderr.

    Warnings that libraries give to programmers, without the file that they are about, are not shown.
    """
    logging.captureWarnings(True)
    log = logging.getLogger("dentasam")
    if not any(isinstance(handler, _Notices) for handler in log.handlers):
        log.addHandler(_Notices())


def warn(message: str) -> None:
    """Prints one line on stderr about a problem that does not stop the command."""
    complain(f"warning: {message}")


def run(command: Callable[[], object]) -> NoReturn:
    """Runs a command and ends the process with its exit code.

    0 done; 2 wrong use, bad input or a disk that takes no more; 130 stopped from the keyboard; 1 an internal error.
    Errors are one line on stderr; `--traceback` or DENTASAM_TRACEBACK=1 prints the traceback before it.
    """
    show_notices()
    try:
        outcome = command()
    except DentasamError as error:
        if wants_traceback():
            traceback.print_exc()
        complain(str(error))
        sys.exit(WRONG_USE)
    except typer.TyperException as error:
        _complain_of_usage(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        complain("stopped")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if wants_traceback():
            traceback.print_exc()
        full = full_disk(error)
        if full is not None:
            _complain_of_disk(full)
            sys.exit(WRONG_USE)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            complain(f"{cut(str(error.filename))} is longer than a path can be; name another one")
            sys.exit(WRONG_USE)
        hint = "" if wants_traceback() else f" (`dentasam --traceback …` or {TRACEBACK_VARIABLE}=1 shows where)"
        complain(f"internal error: {type(error).__name__}: {without_middle(str(error), MAX_USAGE)}{hint}")
        sys.exit(INTERNAL_ERROR)
    if outcome == INTERRUPTED:
        complain("stopped")
    sys.exit(outcome if isinstance(outcome, int) else DONE)


def wants_traceback() -> bool:
    return os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0")


def _complain_of_disk(error: OSError) -> None:
    what = error.filename if isinstance(error.filename, str) else "the output"
    complain(f"{what}: cannot be written ({error.strerror}); free space or choose another disk, and run it again")
    try:
        sys.stdout.flush()
    except OSError:
        # It is stdout that could not be written; the interpreter would try again at its end, and report that too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain_of_usage(error: typer.TyperException) -> None:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        complain(without_middle(message, MAX_USAGE))
    elif not message.strip() or type(error).__name__ == "NoArgsIsHelpError":
        # A group named without a command: the parser offers its help as the message, or has already shown it.
        print(message, file=sys.stderr, end="")
    else:
        complain(f"{without_middle(message.rstrip('.'), MAX_USAGE)}; see `{context.command_path} --help`")
