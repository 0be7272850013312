"""Who may use the server, and under which host names.

Two things keep strangers out of a server on the user's own machine, beside the check of the Origin of writes (see
`middleware`) and the key of a browser's page (see `page_key`). The first is a random token in the printed URL, or a
session if annotators sign in. The second is the Host header, which must name this server: under DNS rebinding, a
foreign name that resolves to 127.0.0.1, the header carries the foreign name.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import threading
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from dentasam.labelling.auth.one_time_codes import OneTimeCodes, Taken
from dentasam.labelling.auth.page_key import PAGE_PREFIX, derived, shown_keys
from dentasam.labelling.auth.passwords import Annotators, Throttle
from dentasam.labelling.auth.sessions import Sessions
from dentasam.loopback import is_loopback

MAX_SIMULTANEOUS_SIGN_INS: Final = 4


class TooManyAttempts(Exception):
    """Sign-ins have failed too often; the next one is allowed in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Access:
    """The token or the annotators, and the host names that the server answers to.

    With `annotators` everybody signs in by name and password, and the token opens nothing. Without them the token
    opens the page, and everything is recorded under the name `annotator`.
    """

    def __init__(
        self,
        token: str,
        annotators: Annotators | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        names: Iterable[str] = (),
        annotator: str = "annotator",
        sessions: Sessions | None = None,
    ) -> None:
        """port: the one that is bound. names: further host names, such as those of a proxy in front of the server.

        sessions: who is signed in already; nobody if left out.
        """
        self._token = token.encode()
        self.annotators = annotators
        self.annotator = annotator
        self.sessions = Sessions() if sessions is None else sessions
        self.throttle = Throttle()
        self.codes = OneTimeCodes()
        # For which a browser that has just signed in gets the key of its page; each is for its session's token.
        self.starts = OneTimeCodes()
        self._guesses = threading.BoundedSemaphore(MAX_SIMULTANEOUS_SIGN_INS)
        self.host, self.port = host, port
        self._hosts = _hosts(host, port, names)
        self._anywhere = host in ("", "0.0.0.0", "::")

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers keep cookies by host without the port, and two servers may run on one."""
        return f"dentasam-{self.port}"

    @property
    def url(self) -> str:
        """What the terminal prints, with the token where the token opens the page."""
        return self.address if self.annotators is not None else f"{self.address}?token={self._token.decode()}"

    def one_time_url(self) -> str:
        """An address for a command line, where others can read it: it opens the page once, and soon."""
        return self.address if self.annotators is not None else f"{self.address}?code={self.codes.new()}"

    @property
    def address(self) -> str:
        """The server's address, which is not secret."""
        host = "127.0.0.1" if self._anywhere else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def knows_host(self, host: str, scope: Scope) -> bool:
        """Whether a Host header names this server.

        A server that listens on all addresses also answers to the address on which a request came in, which a foreign
        name cannot imitate.
        """
        host = host.lower()
        if host in self._hosts:
            return True
        if not self._anywhere:
            return False
        # A socket for IPv4 and IPv6 gives IPv4 addresses mapped into IPv6.
        local = (scope.get("server") or ("", None))[0].removeprefix("::ffff:")
        return host in _with_port(local, self.port)

    def knows_token(self, token: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    def annotator_of(self, scope: Scope) -> str | None:
        """The annotator whose cookie or `Authorization: Bearer` a request carries, or None.

        The session of a browser's page counts only with its key.
        """
        for token in self.tokens(Headers(scope=scope)):
            name = self._holder(token)
            if name is not None and (not token.startswith(PAGE_PREFIX) or self._shows_key(scope, token)):
                return name
        return None

    def has_session(self, headers: Headers) -> bool:
        """Whether a request carries the token of a session, of a page also without its key."""
        return any(self._holder(token) is not None for token in self.tokens(headers))

    def starting_key(self, code: str, headers: Headers) -> str | None:
        """The key of the page that a browser loads with a code of `starts` and the cookie that it got with the code.

        None for a wrong code, and for one that was made for another session: whoever is sent the cookie of another
        has codes of their own.
        """
        for token in self.tokens(headers):
            known = token.startswith(PAGE_PREFIX) and self._holder(token) is not None
            if known and self.starts.take(code, token) is Taken.valid:
                return self.page_key(token)
        return None

    def page_key(self, token: str) -> str:
        """The key that belongs to the token of a browser's page."""
        return derived(self._token, "page key", token)

    def cookie_token(self, *, page: bool) -> str:
        """What the cookie holds in place of the token of the printed address. page: for a browser."""
        kind = PAGE_PREFIX if page else "script."
        return kind + derived(self._token, kind)

    def _holder(self, token: str) -> str | None:
        if self.annotators is not None:
            return self.sessions.annotator(token)
        given = token.encode("utf-8", "surrogatepass")
        cookies = (self.cookie_token(page=page).encode() for page in (True, False))
        valid = any(hmac.compare_digest(given, one) for one in (*cookies, self._token))
        return self.annotator if valid else None

    def _shows_key(self, scope: Scope, token: str) -> bool:
        right = self.page_key(token).encode()
        return any(hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), right) for shown in shown_keys(scope))

    def tokens(self, headers: Headers) -> list[str]:
        """The tokens that a request carries, valid or not."""
        found = []
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            found.append(given.strip())
        # Browsers send a host's cookies to all its ports, including unusual ones of other programs.
        cookie = cookie_parser(headers.get("cookie", "")).get(self.cookie)
        return found if cookie is None else [*found, cookie]

    def sign_in(self, name: str, password: str, address: str, *, page: bool = False) -> str | None:
        """The token of a new session, None for a wrong name or password. Raises TooManyAttempts.

        page: whether a browser asks, whose page gets the `page_key` too.
        """
        assert self.annotators is not None
        wait = self.throttle.wait(address, name)
        if wait > 0:
            raise TooManyAttempts(wait)
        # Simultaneous guesses would otherwise all pass the count, and occupy all threads of the server.
        if not self._guesses.acquire(blocking=False):
            raise TooManyAttempts(1.0)
        try:
            if not self.annotators.verify(name, password):
                self.throttle.failed(address, name)
                return None
        finally:
            self._guesses.release()
        self.throttle.succeeded(address, name)
        return self.sessions.begin(name, PAGE_PREFIX if page else "")

    def sign_out(self, headers: Headers) -> None:
        """End the sessions whose tokens a request carries."""
        for token in self.tokens(headers):
            self.sessions.end(token)

    def cookie_header(self, token: str) -> str:
        """A Set-Cookie value; an empty token removes the cookie."""
        gone = "" if token else "; Max-Age=0"
        return f"{self.cookie}={token}; HttpOnly; SameSite=Strict; Path=/{gone}"


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def _hosts(host: str, port: int, names: Iterable[str]) -> frozenset[str]:
    known: set[str] = set()
    own = ["127.0.0.1", "localhost", "::1", *([host] if host else [])]
    if not is_loopback(host):
        own += [socket.gethostname(), socket.getfqdn()]
    for name in own:
        known |= _with_port(name, port)
    for name in names:
        # Behind a proxy the page is at the proxy's port.
        known |= {name.lower(), *_with_port(name, port)}
    return frozenset(known)


def _with_port(name: str, port: int) -> set[str]:
    bare = f"[{name}]" if ":" in name else name
    # A browser leaves out port 80.
    return {f"{bare}:{port}".lower()} | ({bare.lower()} if port == 80 else set())
