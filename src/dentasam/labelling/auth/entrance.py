"""The answer to who has shown the token, a code, or a name and password: the cookie, and the way to the page."""

from __future__ import annotations

from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.page_key import QUESTION_POLICY, START, question


def entrance(access: Access, token: str, *, page: bool) -> Response:
    """token: what the cookie holds. page: for a browser, which gets the key of its page at the address it is sent to.

    303: the next request is a GET, without the token or the password. The redirect removes both from the address bar
    and from the browser's history.
    """
    address = f"/?{START}={access.starts.new(token)}" if page else "/"
    return RedirectResponse(address, 303, {"Set-Cookie": access.cookie_header(token)})


def asked_for_key() -> Response:
    """The answer to an address of the API in a browser's address bar: its page asks again, with the key."""
    return HTMLResponse(question(), headers={"Content-Security-Policy": QUESTION_POLICY})
