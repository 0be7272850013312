"""The built page: its one HTML file, and the scripts, styles and pictures beside it."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from dentasam.labelling.auth.page_key import START, with_key
from dentasam.labelling.routes.shared.context import ContextDep

router = APIRouter(include_in_schema=False)
# Vite names each file by its content.
FOREVER = "private, max-age=31536000, immutable"
# Fixed here, since the system's table may lack types or be changed by other programs.
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}


@router.get("/")
def index(request: Request, context: ContextDep) -> Response:
    if context.page is None:
        raise HTTPException(404, "this server was started without its page")
    code = request.query_params.get(START)
    key = None if code is None else context.access.starting_key(code, request.headers)
    if key is not None:
        html = (context.page / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(with_key(html, key), headers={"Cache-Control": "no-store"})
    return FileResponse(context.page / "index.html", media_type="text/html", headers={"Cache-Control": "no-store"})


@router.get("/assets/{name:path}")
def asset(name: str, context: ContextDep) -> Response:
    found = context.assets.get(name)
    if found is None:
        raise HTTPException(404, "there is no such file in the page")
    return FileResponse(found, media_type=TYPES[found.suffix], headers={"Cache-Control": FOREVER})


def assets_of(page: Path | None) -> dict[str, Path]:
    """The page's files by name. They are listed once at the start, so that no path is made of a request."""
    if page is None:
        return {}
    folder = page / "assets"
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }
