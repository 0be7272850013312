"""An HTTP session that stays with one server: no redirects, no proxies, bounded answers.

What `requests` would take from the surroundings (proxies, ~/.netrc, certificate bundles) is left out, so that neither
images nor credentials go anywhere but to the address that the user gave.
"""

import time
from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase

from dentasam.data.pacs.address import Address, origin_of, split_url
from dentasam.data.pacs.credentials import Credentials
from dentasam.data.pacs.status import check_status
from dentasam.errors import PacsError
from dentasam.version import __version__

# Bytes of an answer that is held in memory, such as a page of search results.
MAX_ANSWER_BYTES = 64_000_000
# An answer that takes longer is cut off, even where a byte arrives now and then.
MAX_ANSWER_SECONDS = 900.0
# Of a server that is busy or behind a gateway; seconds before each further try.
BUSY = (429, 502, 503, 504)
PAUSES = (0.5, 2.0)


class Body:
    """The body of an answer: at most `limit` bytes, within `MAX_ANSWER_SECONDS`. Raises PacsError beyond."""

    def __init__(self, raw: Any, base: str, limit: int) -> None:
        self._raw, self._base, self._left, self._limit = raw, base, limit, limit
        self._end = time.monotonic() + MAX_ANSWER_SECONDS
        # One call of the system at a time: `read` would wait until all bytes are there, however slowly they come.
        self._read: Callable[[int], bytes] = getattr(raw, "read1", raw.read)

    def read(self, size: int) -> bytes:
        chunk = self._read(size) or b""
        self._left -= len(chunk)
        if self._left < 0:
            self.close()
            raise PacsError(f"{self._base} sends over {self._limit / 1e6:g} MB in one answer; ask its administrator")
        if time.monotonic() > self._end:
            self.close()
            raise PacsError(f"{self._base} takes over {MAX_ANSWER_SECONDS:g} s for one answer; try again later")
        return chunk

    def close(self) -> None:
        self._raw.close()

    def release_conn(self) -> None:
        self._raw.release_conn()


class _Authorization(AuthBase):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._credentials.header
        return request


class OneServerSession(requests.Session):
    """Requests to one address. A caller that streams an answer bounds it with `bounded`.

    authority: a file of certificates that are trusted in place of the public ones.
    """

    def __init__(self, address: Address, credentials: Credentials | None, authority: str | None) -> None:
        super().__init__()
        self.trust_env = False
        self._address, self._credentials = address, credentials
        self.auth = None if credentials is None else _Authorization(credentials)
        if authority is not None:
            self.verify = authority
        self.headers["User-Agent"] = f"dentasam/{__version__}"
        self.headers["Accept"] = "application/dicom+json"
        # A small compressed answer could unpack to one that fills the memory.
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: a redirect is an answer like others here, and `send` refuses it."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Raises PacsError for a redirect, an error of the server, and an answer that is too large or compressed."""
        parts = split_url(request.url or "")
        if parts is None or origin_of(parts) != self._address.origin:
            raise PacsError(f"{self._address.base}: a request would leave this server")
        # dicomweb-client sets it without the port.
        request.headers.pop("Host", None)
        streamed = bool(kwargs.get("stream"))
        kwargs |= {"stream": True, "allow_redirects": False}
        for pause in (*PAUSES, None):
            response = super().send(request, **kwargs)
            if request.method != "GET" or response.status_code not in BUSY or pause is None:
                break
            response.close()
            time.sleep(pause)
        # dicomweb-client would log its text as it is. All pages are read anyhow.
        response.headers.pop("Warning", None)
        try:
            self._check(response)
            if not streamed:
                self.bound(response, MAX_ANSWER_BYTES)
                _ = response.content
        except BaseException:
            response.close()
            raise
        return response

    def bound(self, response: requests.Response, limit: int) -> None:
        """Lets at most `limit` bytes of the body be read."""
        response.raw = Body(response.raw, self._address.base, limit)

    def _check(self, response: requests.Response) -> None:
        base = self._address.base
        if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise PacsError(f"{base} compresses its answers though asked not to; ask its administrator")
        location = response.headers.get("Location", "")
        check_status(base, response.status_code, response.url, location, self._credentials)
