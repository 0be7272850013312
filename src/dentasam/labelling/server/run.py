"""Runs the labelling tool: one port, one process, one workspace, until a signal ends it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from dentasam.errors import DentasamError
from dentasam.labelling.auth import sessions
from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.kept_address import KeptAddress
from dentasam.labelling.auth.passwords import NAME, Annotators, check_name
from dentasam.labelling.exchange.offline import Place, open_early
from dentasam.labelling.log.worklist import Worklist
from dentasam.labelling.server.freed_memory import releasing
from dentasam.labelling.server.listening import bind, check_reach
from dentasam.labelling.server.serving import serve
from dentasam.loopback import is_loopback
from dentasam.visible_text import printable

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
    from dentasam.labelling.log.store import Store
    from dentasam.labelling.workspace.workspace import Workspace
    from dentasam.model.segmenter import Segmenter

PAGE = Path(__file__).parents[1] / "page"
# The browser keeps unsent work by address and port, so the port stays the same from day to day.
DEFAULT_PORT = 8765


@dataclass(frozen=True)
class Settings:
    """How a server runs.

    port: None for the one that the workspace had last, `DEFAULT_PORT` at its first start; 0 for a free one.
    new_token: end the printed address and all sessions that were valid so far.
    names: further host names, such as those of a proxy in front of the server.
    follow_links: whether images that are links out of the folder are shown.
    folder, database: None for the workspace's usual ones. annotator: None for the name of the login.
    model: what the model is called in the terminal. windows: whether objects are decoded in object windows.
    proposals: whether the model proposes objects, unless the workspace's settings turn that off.
    """

    host: str = "127.0.0.1"
    port: int | None = 0
    new_token: bool = False
    names: tuple[str, ...] = ()
    folder: Path | None = None
    images: Path | None = None
    follow_links: bool = False
    database: str | None = None
    annotator: str | None = None
    idle_seconds: float = 30.0
    open_browser: bool = False
    model: str = "the model"
    windows: bool = True
    proposals: bool = True


def run(
    source: Path,
    load: Callable[[], Segmenter],
    settings: Settings,
    *,
    announce: Callable[[str], None],
    complain: Callable[[str], None],
) -> None:
    """Opens the workspace of `source` and serves it until a signal ends it. Raises DentasamError.

    The page, the workspace, the port and the annotators are checked before the model is loaded.
    announce, complain: called with each line for the user, and with each line about an image that is left out.
    """
    page = built_page()
    place = Place(source, settings.folder, settings.database, settings.images, settings.follow_links)
    with open_early(place) as opened:
        workspace, store, problems = opened.workspace, opened.store, opened.problems
        annotators = Annotators.of(workspace.root)
        check_reach(settings.host, annotators.names)
        annotator = settings.annotator or _login_name()
        check_name(annotator)
        for line in problems:
            complain(line)
        kept = KeptAddress.of(workspace.root, new=settings.new_token)
        wanted = (kept.port or DEFAULT_PORT) if settings.port is None else settings.port
        with bind(settings.host, wanted) as listening, ExitStack() as cleanup:
            port = listening.getsockname()[1]
            if kept.port not in (None, port):
                announce(
                    f"pages that are still open wait at port {kept.port}; unsent work in them is sent only there"
                )
            kept.keep(workspace.root, port)
            access = _access(workspace, settings, annotators, annotator, kept.token, port)
            workspace.serve_at(access.address)
            if not is_loopback(settings.host):
                announce("passwords and labels travel unencrypted; on a network of others put a TLS proxy before it")
            with _loading(settings.model):
                worklist = Worklist(store.cases(), workspace.images)
                app, queue = _application(workspace, store, worklist, load, access, page, settings)
                cleanup.callback(queue.stop)
                queue.start()
                # A model that cannot be loaded ends the start, instead of failing each click.
                queue.wait_for_model()
                cleanup.callback(opened.pending.stop)
                opened.pending.start(worklist.touch)
            cleanup.enter_context(releasing())
            serve(
                app,
                listening,
                access.url,
                announce=announce,
                progress=queue.progress,
                open_browser=settings.open_browser,
                browser_url=access.one_time_url,
            )


def _access(
    workspace: Workspace, settings: Settings, annotators: Annotators, annotator: str, token: str, port: int
) -> Access:
    """Who may speak to the server; sessions from before its start go on, but for those that `new_token` ends."""
    signed_in = sessions.Sessions(path=workspace.root / sessions.FILE_NAME, passwords=annotators.hashes)
    if settings.new_token:
        signed_in.end_all()
    return Access(
        token,
        annotators if annotators.names else None,
        settings.host,
        port,
        names=settings.names,
        annotator=annotator,
        sessions=signed_in,
    )


def _application(
    workspace: Workspace,
    store: Store,
    worklist: Worklist,
    load: Callable[[], Segmenter],
    access: Access,
    page: Path,
    settings: Settings,
) -> tuple[FastAPI, EncodeQueue]:
    """The application and its encode queue, which is not started yet."""
    # Imported late: torch alone takes seconds.
    from dentasam.labelling.inference.encoding.case_encoder import CaseEncoder
    from dentasam.labelling.inference.encoding.chart_store import ChartStore
    from dentasam.labelling.inference.encoding.charter import Charter
    from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
    from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
    from dentasam.labelling.inference.predictor import Predictor
    from dentasam.labelling.proposals.proposer import Proposer
    from dentasam.labelling.server.app import create_app
    from dentasam.labelling.workspace.file_hashes import FileHashes

    encoder = CaseEncoder(EmbeddingStore(workspace.embeddings))
    proposer = Proposer(store, workspace, allowed=settings.proposals)
    charter = Charter(ChartStore(workspace.embeddings), proposer)
    queue = EncodeQueue(
        load,
        encoder,
        worklist,
        store.set_uncertainty,
        windows=settings.windows,
        charter=charter,
        files=FileHashes(workspace.bounds),
    )
    app = create_app(
        workspace,
        store,
        worklist,
        queue,
        Predictor(queue),
        access,
        proposer=proposer,
        page=page,
        idle_seconds=settings.idle_seconds,
    )
    return app, queue


@contextmanager
def _loading(model: str) -> Iterator[None]:
    """Shows on stderr that the model is being loaded: a moving line in a terminal, a plain one elsewhere."""
    console, line = Console(stderr=True), printable(f"loading {model} …")
    if not console.is_interactive:
        print(line, file=sys.stderr, flush=True)
        yield
        return
    with console.status(escape(line)):
        yield


def _login_name() -> str:
    """The name of the user who runs the server, if it can be an annotator's."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return "annotator"
    return name if NAME.fullmatch(name) else "annotator"


def built_page(folder: Path | None = None) -> Path:
    """The folder of the built page, `PAGE` if left out. Raises DentasamError if it was not built at installation."""
    folder = PAGE if folder is None else folder
    if not (folder / "index.html").is_file():
        raise DentasamError(
            "the labelling page is not built in this installation; install Node.js 20 or newer, "
            "then dentasam again: pip install ."
        )
    return folder
