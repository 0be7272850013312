"""The middleware in front of all routes: it checks each request, limits its body, and adds security headers."""

from __future__ import annotations

import json
import logging
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dentasam.labelling.auth import refusal_page
from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.entrance import asked_for_key, entrance
from dentasam.labelling.auth.one_time_codes import Taken
from dentasam.labelling.auth.page_key import shown_keys, without_key

# uvicorn prints what is logged here.
logger = logging.getLogger("uvicorn.error")

MASK_BODY_BYTES: Final = 64 * 1024 * 1024
TEXT_BODY_BYTES: Final = 1024 * 1024
LOGIN_BODY_BYTES: Final = 4096
# The largest image that is read, at 16 bits a pixel, and its header.
IMAGE_BODY_BYTES: Final = 256 * 1024 * 1024
FILE_ROUTES: Final = ("/api/images", "/api/import")
# Routes whose bodies carry masks.
MASK_ROUTES: Final = ("/operations", "/predict", "/refine", "/import/coco")
OPEN_ROUTES: Final = ("/healthz",)
LOGIN_ROUTES: Final = ("/login", "/login.css")
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")

CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Under no-referrer a browser sends the sign-in form with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class AccessMiddleware:
    """Checks each request before a route sees it, limits its body, and adds the security headers to the answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    # The refusal page has a stricter content policy of its own.
                    headers.setdefault(name, value)
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = self._refusal(scope)
        if isinstance(refusal, Response):
            await refusal(scope, receive, send_with_headers)
            return
        if refusal is not None:
            await (refusal.as_page() if _is_navigation(scope) else refusal)(send_with_headers)
            return
        path = scope["path"]
        limit = body_limit(path)
        declared = Headers(scope=scope).get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()) or len(declared) > 15 or int(declared) > limit:
            await _Answer(413, _too_large(limit))(send_with_headers)
            return
        try:
            await self._app(scope, _counted(receive, limit), send_with_headers)
        except ClientDisconnect:
            # The client left before its whole body had arrived, so nobody waits for an answer.
            return
        except Exception:
            if started:
                raise
            # The terminal shows the whole traceback, the page one line.
            logger.exception("%s %s failed", scope["method"], path)
            await _Answer(500, "the server failed; its terminal shows more")(send_with_headers)

    def _refusal(self, scope: Scope) -> _Answer | Response | None:
        """The answer to a request that may not pass; for one that may, its annotator is kept for the routes."""
        access, path, headers = self._access, scope["path"], Headers(scope=scope)
        if path in OPEN_ROUTES:
            return None
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return _Answer(400, "a request names one Host")
        if not access.knows_host(hosts[0], scope):
            return _Answer(
                421,
                "this server does not answer under that name; open the address that it printed when it was started",
            )
        writes = scope["method"] not in SAFE_METHODS
        if writes and not _same_origin(headers, hosts[0]):
            return _Answer(403, "a page of another site may not write here")
        if access.annotators is None:
            entered = self._entered(scope)
            if entered is not None:
                return entered
        elif path in LOGIN_ROUTES:
            return None
        bare = without_key(scope)
        if bare is not None:
            return RedirectResponse(bare, 303)
        annotator = access.annotator_of(scope)
        if annotator is not None:
            scope.setdefault("state", {})["annotator"] = annotator
            return None
        known = access.has_session(headers)
        # What a browser loads before its page can show the key; nothing of it belongs to the workspace.
        if known and not writes and (path == "/" or path.startswith("/assets/")):
            return None
        if known and _is_navigation(scope) and not shown_keys(scope):
            return asked_for_key()
        return self._stranger(scope, known)

    def _entered(self, scope: Scope) -> _Answer | Response | None:
        """The answer to a request that enters with the token, or a code, in the address of the page."""
        access = self._access
        if scope["path"] != "/" or scope["method"] != "GET":
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        token, code = (query.get(name, [None])[0] for name in ("token", "code"))
        taken = Taken.unknown if code is None else access.codes.take(code)
        if taken is Taken.used:
            logger.error(
                "the address that --open gave to a browser came again; if no page opened in yours, somebody else on "
                "this machine was faster: start again with --new-token"
            )
            return _Answer(401, "this address opens the page once; open the one that `dentasam label` printed")
        if taken is not Taken.valid and not (token is not None and access.knows_token(token)):
            return None
        page = from_browser(Headers(scope=scope))
        return entrance(access, access.cookie_token(page=page), page=page)

    def _stranger(self, scope: Scope, known: bool) -> _Answer:
        """The answer to who may not pass. known: whether only the key of its page is missing."""
        if self._access.annotators is None:
            return _Answer(
                401,
                "this address is not complete; open the whole one that `dentasam label` printed when it was started",
                page=refusal_page.WITHOUT_TOKEN,
            )
        if known:
            return _Answer(401, "this browser has lost the key of its page; open /login and sign in again")
        if scope["method"] in SAFE_METHODS and (scope["path"] == "/" or _is_navigation(scope)):
            return _Answer(303, "", {"Location": "/login"})
        return _Answer(401, "you are not signed in any more; load the page again and sign in")


class _Answer:
    """A short answer of the middleware. page: HTML that a person reads in place of `detail`."""

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, *, page: str | None = None
    ) -> None:
        self._status, self._detail, self._headers, self._page = status, detail, headers or {}, page
        self._body = json.dumps({"detail": detail}).encode() if detail else b""
        self._type = {"Content-Type": "application/json"} if detail else {}

    def as_page(self) -> _Answer:
        """The same answer as a page for a person."""
        if self._body:
            title = "The labelling tool cannot be opened like this"
            self._body = refusal_page.refusal_page(title, self._page or refusal_page.paragraph(self._detail))
            self._type = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": refusal_page.CONTENT_POLICY,
            }
        return self

    async def __call__(self, send: Send) -> None:
        given = {"Content-Length": str(len(self._body)), **self._type, **self._headers}
        if self._status == 401:
            given["WWW-Authenticate"] = "Bearer"
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
        await send({"type": "http.response.start", "status": self._status, "headers": raw})
        await send({"type": "http.response.body", "body": self._body})


def body_limit(path: str) -> int:
    """The largest size of a request's body in bytes."""
    if path.endswith(MASK_ROUTES):
        return MASK_BODY_BYTES
    if path in FILE_ROUTES:
        return IMAGE_BODY_BYTES
    return LOGIN_BODY_BYTES if path in LOGIN_ROUTES else TEXT_BODY_BYTES


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses a body without a declared length as soon as it exceeds the limit."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, _too_large(limit))
        return message

    return counted


def _too_large(limit: int) -> str:
    return f"the body is too large; at most {limit} bytes are taken here"


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether a write comes from this server's own page, or from no page at all."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    # https if a proxy in front of the server speaks it.
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def from_browser(headers: Headers) -> bool:
    """Whether a browser asks for a page: it names HTML among what it takes, a script does not."""
    return "text/html" in headers.get("accept", "")


def _is_navigation(scope: Scope) -> bool:
    """Whether a person will read the answer."""
    return scope["method"] in ("GET", "HEAD") and from_browser(Headers(scope=scope))
