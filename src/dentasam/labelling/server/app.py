"""The HTTP API as one application: its routes, its errors in one line each, and its OpenAPI description."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema
from sqlalchemy.exc import DatabaseError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from dentasam.data.formats.tooth_names import NumberingUnknown
from dentasam.errors import ChartError, DatasetError, DentasamError, ImageError, PromptError
from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.middleware import AccessMiddleware
from dentasam.labelling.exchange.added_images import ImageAdder, ImageRefused
from dentasam.labelling.exchange.monai import InferParams
from dentasam.labelling.log.cases import CaseNotFound
from dentasam.labelling.log.database.damage import DamagedData, is_damage
from dentasam.labelling.log.database.sqlite_check import GUIDE
from dentasam.labelling.log.database.url import without_secrets
from dentasam.labelling.log.operations import OperationError
from dentasam.labelling.log.store import IDLE_SECONDS, StorageFull
from dentasam.labelling.proposals.proposer import Proposer
from dentasam.labelling.routes import (
    cases,
    encoding,
    exports,
    images,
    monai,
    notes,
    page,
    pixels,
    predict,
    proposals,
    session,
    sign_in,
)
from dentasam.labelling.routes.page import assets_of
from dentasam.labelling.routes.shared.context import IF_MATCH, ServerContext, errors, one_line
from dentasam.labelling.routes.shared.documents import CocoDocument, Problem
from dentasam.labelling.routes.shared.envelope_documents import ENVELOPE_DOCUMENTS
from dentasam.labelling.routes.shared.predictions import Predictions
from dentasam.labelling.wire.box_mask import MaskError
from dentasam.labelling.wire.envelope import EnvelopeError
from dentasam.version import __version__

if TYPE_CHECKING:
    from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
    from dentasam.labelling.inference.predictor import Predictor
    from dentasam.labelling.log.store import Store
    from dentasam.labelling.log.worklist import Worklist
    from dentasam.labelling.workspace.workspace import Workspace

# Uvicorn shows what it gets on the terminal.
logger = logging.getLogger("uvicorn.error")
ROUTES = (
    session,
    cases,
    images,
    pixels,
    predict,
    proposals,
    encoding,
    notes,
    exports,
    monai,
    sign_in,
    page,
)
REFERENCE = "#/components/schemas/{model}"
# Errors in what a client sends, or asks of a model that cannot do it; the answer carries their messages.
MALFORMED = (EnvelopeError, MaskError, OperationError, PromptError, DatasetError, ChartError)
DESCRIPTION = """\
Every route but `/healthz` needs the token: as the cookie that `GET /?token=…` sets, or as `Authorization: Bearer …`.
The cookie that a browser gets, which names `text/html` in `Accept`, counts only with the header `X-Page-Key`.

Bodies of the type `application/vnd.dentasam.masks` are envelopes: the bytes `DSM1`, a little-endian uint32 N, N bytes
of JSON (the document that the schema describes), then blobs. A mask in the document is a `MaskRef`: its box in
image pixels, and where its blob lies behind the document. A blob holds the run lengths of the box, row by row,
as unsigned LEB128 numbers; the first run is of zeros and may be 0, and the runs add up to width × height.
"""


def create_app(
    workspace: Workspace,
    store: Store,
    worklist: Worklist,
    queue: EncodeQueue,
    predictor: Predictor,
    access: Access,
    *,
    proposer: Proposer | None = None,
    page: Path | None = None,
    idle_seconds: float = IDLE_SECONDS,
) -> FastAPI:
    """The application for one open workspace, whose images have their cases in the store.

    proposer: the one that the queue's charts go to; None where there are no proposals. page: the built page's folder.
    Handlers are plain functions and run in threads, since they wait for the database and for the model.
    """
    app = application()
    app.state.context = ServerContext(
        workspace=workspace,
        store=store,
        worklist=worklist,
        queue=queue,
        predictor=predictor,
        predictions=Predictions(queue),
        access=access,
        proposer=proposer or Proposer(store, workspace, allowed=False),
        image_adder=ImageAdder(workspace, store, worklist, queue.worklist_changed),
        idle_seconds=idle_seconds,
        page=page,
        assets=assets_of(page),
    )
    app.add_middleware(AccessMiddleware, access=access)
    return app


def application() -> FastAPI:
    """The routes without a workspace, which is enough for their description."""
    app = FastAPI(
        title="dentasam label",
        version=__version__,
        description=DESCRIPTION,
        # Both load scripts from other hosts, which the content policy forbids.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=errors(400, 401, 403, 413, 421, 422, 500, 503),
        generate_unique_id_function=lambda route: route.name,
    )
    for module in ROUTES:
        app.include_router(module.router)
    _handle_errors(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the documents inside envelopes among its schemas."""
    if app.openapi_schema is None:
        content = get_openapi(
            title=app.title, version="1", description=app.description, routes=app.routes, openapi_version="3.1.0"
        )
        schemas = content.setdefault("components", {}).setdefault("schemas", {})
        _, more = models_json_schema(
            [
                *((kind, "validation") for kind in ENVELOPE_DOCUMENTS),
                (InferParams, "validation"),
                (CocoDocument, "validation"),
                (Problem, "serialization"),
            ],
            ref_template=REFERENCE,
        )
        schemas |= more["$defs"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        health = content["paths"]["/healthz"]["get"]
        health["responses"] = {"200": health["responses"]["200"]}
        health["security"] = []
        content["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        content["security"] = [{"token": []}]
        app.openapi_schema = _with_mask_references(content)
    return app.openapi_schema


def openapi_text() -> str:
    """The text of `web/openapi.json`: always the same for the same routes."""
    return json.dumps(application().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _with_mask_references(content: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI with one named schema for masks, in place of a copy at every mask."""
    found: dict[str, Any] = {}

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("title") == "MaskRef" and "properties" in value:
            found["MaskRef"] = value
            return {"$ref": REFERENCE.format(model="MaskRef")}
        return {key: named(item) for key, item in value.items()}

    content = named(content)
    content["components"]["schemas"] |= found
    return content


def _handle_errors(app: FastAPI) -> None:
    """Answer each kind of error with its status and one line, `{"detail": …}`, without paths of this machine.

    An error that the client can answer by a parameter says which in `asks`.
    """

    def handle(
        kind: type[Exception], status: int | Callable[[Any], int], text: Callable[[Request, Any], str]
    ) -> None:
        def handler(request: Request, error: Exception) -> JSONResponse:
            code = status if isinstance(status, int) else status(error)
            content: dict[str, Any] = {"detail": one_line(text(request, error))}
            if isinstance(error, NumberingUnknown):
                content["asks"] = "numbering"
            if isinstance(error, DamagedData) and error.objects:
                content["damaged"] = error.objects
            # The line of an error may have added to its headers.
            return JSONResponse(content, code, getattr(error, "headers", None))

        app.add_exception_handler(kind, handler)

    def public(request: Request, error: Exception) -> str:
        context: ServerContext = request.app.state.context
        return context.public_message(str(error))

    def damaged(request: Request, error: DamagedData | DatabaseError) -> str:
        """The line on damage; the terminal gets the traceback. Other errors of the database go on, to be a 500."""
        if isinstance(error, DatabaseError) and not is_damage(error):
            raise error
        if isinstance(error, DatabaseError) or error.__cause__ is not None:
            logger.error("%s %s met damage", request.method, request.url.path, exc_info=error)
        line = str(error) if isinstance(error, DamagedData) else f"the database failed ({error.orig}); {GUIDE}"
        context: ServerContext = request.app.state.context
        return context.public_message(without_secrets(line, context.store.engine.url))

    handle(StarletteHTTPException, lambda error: error.status_code, _detail)
    handle(
        RequestValidationError, lambda error: 428 if _lacks_revision(error) else 422, lambda _, error: _first(error)
    )
    handle(CaseNotFound, 404, public)
    handle(StorageFull, 507, public)
    handle(ImageRefused, lambda error: error.status, public)
    handle(ImageError, 410, public)
    for kind in MALFORMED:
        handle(kind, 422, public)
    handle(DentasamError, 503, public)
    handle(DamagedData, 503, damaged)
    handle(DatabaseError, 503, damaged)


def _detail(request: Request, error: StarletteHTTPException) -> str:
    """The line of an error. One for a method that its path does not have gets the header with all that it has."""
    if error.status_code == 405:
        # The router names those of one route only, and a path may have several.
        known = [*request.app.routes, *(route for module in ROUTES for route in module.router.routes)]
        found = [route for route in known if route.matches(request.scope)[0] is not Match.NONE]
        methods = ", ".join(sorted({method for route in found for method in getattr(route, "methods", None) or ()}))
        error.headers = {"Allow": methods}
        return f"{request.method} is not possible here, only {methods}"
    return str(error.detail)


def _lacks_revision(error: RequestValidationError) -> bool:
    return any(one["type"] == "missing" and tuple(one["loc"]) == ("header", IF_MATCH) for one in error.errors())


def _first(error: RequestValidationError) -> str:
    if _lacks_revision(error):
        return f'send {IF_MATCH} with the revision last seen, as in {IF_MATCH}: "7"'
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return f"{place}: {first['msg']}" if place else str(first["msg"])
