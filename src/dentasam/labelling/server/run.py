"""Runs the labelling tool: one port, one process, one workspace, until it is told to stop."""

from __future__ import annotations

import errno
import getpass
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn
from rich.console import Console
from rich.markup import escape

from dentasam.errors import DentasamError
from dentasam.labelling.auth import sessions
from dentasam.labelling.auth.access import Access, is_loopback
from dentasam.labelling.auth.kept_address import Entrance
from dentasam.labelling.auth.passwords import NAME, Annotators, check_name
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.progress import shown

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dentasam.labelling.inference.predictor import Inference
    from dentasam.labelling.log.store import Store
    from dentasam.labelling.workspace.workspace import Workspace
    from dentasam.model.segmenter import Segmenter

PAGE = Path(__file__).parents[1] / "page"
# The browser keeps what could not be sent yet by address and port, so the port stays the same from day to day.
USUAL_PORT = 8765
POLL_SECONDS = 0.5
# Requests in flight get this long at the end; the page's next try finds its operations in its own queue.
GRACE_SECONDS = 5


class Encoding(Protocol):
    """What the progress line asks of an encoding that runs."""

    @property
    def encoded(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def current(self) -> str | None: ...


@dataclass(frozen=True)
class Settings:
    """How a server runs. `folder`, `database` None: the workspace's usual ones; `annotator` None: the login's name.

    port None: the one that the workspace had last, the usual one at its first start; 0: a free one.
    names: further host names, as those of a proxy before the server. model: what the model is called in the terminal.
    new_token: shuts out the browsers that are let in so far, and signs everybody out.
    """

    host: str = "127.0.0.1"
    port: int | None = 0
    new_token: bool = False
    names: tuple[str, ...] = ()
    folder: Path | None = None
    images: Path | None = None
    database: str | None = None
    annotator: str | None = None
    idle_seconds: float = 30.0
    open_browser: bool = False
    model: str = "the model"


def run(
    source: Path,
    load: Callable[[], Segmenter],
    settings: Settings,
    *,
    announce: Callable[[str], None],
    complain: Callable[[str], None],
) -> None:
    """Opens the workspace of `source` and serves it until it is told to stop.

    What can be wrong with the page, the workspace, the port or the annotators is told before the model is loaded.
    announce, complain: what takes a line for the user, and one about images that are left out. Raises DentasamError.
    """
    page = built_page()
    with open_workspace(source, settings.folder, settings.database, settings.images) as (workspace, store, problems):
        annotators = Annotators.of(workspace.root)
        check_reach(settings.host, annotators.names)
        annotator = settings.annotator or _login()
        check_name(annotator)
        for line in problems:
            complain(line)
        entrance = Entrance.of(workspace.root, new=settings.new_token)
        wanted = (entrance.port or USUAL_PORT) if settings.port is None else settings.port
        with bind(settings.host, wanted) as listening, ExitStack() as at_the_end:
            port = listening.getsockname()[1]
            if entrance.port not in (None, port):
                announce(
                    f"pages that are still open wait at port {entrance.port}; unsent work in them is sent only there"
                )
            entrance.keep(workspace.root, port)
            signed_in = sessions.Sessions(path=workspace.root / sessions.FILE_NAME, passwords=annotators.hashes)
            if settings.new_token:
                signed_in.end_all()
            access = Access(
                entrance.token,
                annotators if annotators.names else None,
                settings.host,
                port,
                names=settings.names,
                annotator=annotator,
                sessions=signed_in,
            )
            workspace.serve_at(access.address)
            if not is_loopback(settings.host):
                announce("passwords and labels travel unencrypted; on a network of others put a TLS proxy before it")
            with _loading(settings.model):
                inference = _inference(load, workspace, store)
                at_the_end.callback(inference.stop)
                # Only now: it imports torch, which takes seconds.
                from dentasam.labelling.server.app import create_app

                app = create_app(workspace, store, inference, access, page=page, idle_seconds=settings.idle_seconds)
                inference.start()
                # A model that cannot be loaded is told here, and not by each click.
                inference.wait_for_model()
            serve(
                app,
                listening,
                access.url,
                announce=announce,
                progress=inference.progress,
                open_browser=settings.open_browser,
            )


@contextmanager
def _loading(model: str) -> Iterator[None]:
    """Tells on stderr that the model is being loaded: a moving line in a terminal, one that stays elsewhere."""
    console, line = Console(stderr=True), f"loading {model} …"
    if not console.is_interactive:
        print(line, file=sys.stderr, flush=True)
        yield
        return
    with console.status(escape(line)):
        yield


def _inference(load: Callable[[], Segmenter], workspace: Workspace, store: Store) -> Inference:
    from dentasam.labelling.inference.embedding_store import EmbeddingStore
    from dentasam.labelling.inference.predictor import Inference
    from dentasam.labelling.log.worklist import Worklist

    images = Worklist(store.cases(), workspace.images)
    return Inference(load, EmbeddingStore(workspace.embeddings), images, store.set_uncertainty)


def _login() -> str:
    """The name of whoever runs the server, as far as it can be one."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return "annotator"
    return name if NAME.fullmatch(name) else "annotator"


def built_page(folder: Path = PAGE) -> Path:
    """The folder of the built page. Raises DentasamError where the package was installed without it."""
    if not (folder / "index.html").is_file():
        raise DentasamError(
            "the labelling page is not built in this installation; install Node.js 20 or newer, "
            "then dentasam again: pip install ."
        )
    return folder


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises DentasamError for a host that is none of this machine's and a port that is in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise DentasamError(f"--host {host} is no address; use 127.0.0.1, 0.0.0.0 or one of this machine") from None
    try:
        # Without it a restart within a minute would find its own port still taken.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as fault:
        listening.close()
        if fault.errno == errno.EADDRINUSE:
            raise DentasamError(f"port {port} on {host} is in use; choose another --port, 0 for a free one") from None
        if fault.errno == errno.EACCES:
            raise DentasamError(f"port {port} may not be opened by this user; choose one above 1023") from None
        raise DentasamError(f"cannot listen on {host}, port {port} ({fault.strerror}); check --host") from None
    return listening


def check_reach(host: str, annotators: list[str]) -> None:
    """Raises DentasamError where other machines could reach a server on which nobody has to sign in."""
    if not is_loopback(host) and not annotators:
        raise DentasamError(
            f"--host {host} lets other machines in, so annotators must sign in; "
            "first name them: dentasam label DIR --add-annotator NAME"
        )


def serve(
    app: FastAPI,
    listening: socket.socket,
    url: str,
    *,
    announce: Callable[[str], None],
    progress: Callable[[], Encoding] | None = None,
    open_browser: bool = False,
) -> None:
    """Answers requests on `listening` until SIGINT or SIGTERM; closes it, and returns."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        # The address in the log of failed sign-ins is the one that really connected.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    for line in (url, "stop it with Ctrl+C"):
        announce(line)
    if open_browser:
        webbrowser.open(url)
    done = threading.Event()
    showing = threading.Thread(target=_show, args=(progress, done), name="encoding-progress", daemon=True)
    if progress is not None:
        showing.start()
    try:
        with _stopping(server):
            server.run(sockets=[listening])
    finally:
        done.set()
        if progress is not None:
            showing.join(timeout=2 * POLL_SECONDS)
        listening.close()


@contextmanager
def _stopping(server: uvicorn.Server) -> Iterator[None]:
    """SIGINT and SIGTERM end the server alone, also before it listens to them and after it let go of them.

    uvicorn raises the signal that stopped it once more at its end, when there is still something to tidy up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(progress: Callable[[], Encoding], done: threading.Event) -> None:
    """How far the encoding is, on stderr, until all images are encoded."""
    state = progress()
    if state.encoded >= state.total:
        return
    with shown("encoding", "images", already=state.encoded, transient=True) as update:
        while not done.wait(POLL_SECONDS):
            state = progress()
            update(state.encoded, state.total, state.current or "")
            if state.encoded >= state.total:
                break
