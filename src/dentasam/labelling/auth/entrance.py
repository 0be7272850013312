"""The answer to who has shown the token, a code, or a name and password: the cookie, and the way to the page."""

from __future__ import annotations

from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.page_key import HANDOVER_POLICY, QUESTION_POLICY, handover, question


def entrance(access: Access, token: str, *, page: bool) -> Response:
    """token: what the cookie holds. page: for a browser, whose page gets its key too."""
    headers = {"Set-Cookie": access.cookie_header(token)}
    if not page:
        # 303: the next request is a GET, without the token or the password.
        return RedirectResponse("/", 303, headers)
    headers["Content-Security-Policy"] = HANDOVER_POLICY
    return HTMLResponse(handover(access.page_key(token)), headers=headers)


def asked_for_key() -> Response:
    """The answer to an address of the API in a browser's address bar: its page asks again, with the key."""
    return HTMLResponse(question(), headers={"Content-Security-Policy": QUESTION_POLICY})
