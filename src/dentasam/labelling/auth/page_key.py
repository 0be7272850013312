"""The second half of a browser's session, which no other port of the host ever sees.

A browser sends the cookies of a host to all of its ports. Whatever serves another port of 127.0.0.1, of another user
too, could send a cookie on to this server. Therefore a cookie that a browser gets opens the page and its scripts
alone. For everything else its page shows a key as well, from its local storage, which belongs to one port: in the
header `X-Page-Key`, or as `key` in the address of a picture, a download or a form.

Scripts do not visit other ports with their cookies. Theirs are whole sessions, so that `curl -c` and `curl -b` do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from html import escape
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

HEADER: Final = "x-page-key"
PARAMETER: Final = "key"
# In the address of the page: the code for which it gets its key.
START: Final = "start"
STORAGE_NAME: Final = "dentasam-key"
# Begins a token that opens nothing without its key.
PAGE_PREFIX: Final = "page."

_SHOW: Final = f"""
const there = new URL(location.href);
const key = localStorage.getItem({json.dumps(STORAGE_NAME)});
if (key) there.searchParams.set({json.dumps(PARAMETER)}, key);
if (key) location.replace(there);
else document.body.textContent = "This browser has lost the key of its page. Sign in again.";
"""


_DIGEST: Final = base64.b64encode(hashlib.sha256(_SHOW.encode()).digest()).decode()
QUESTION_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'sha256-{_DIGEST}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def derived(secret: bytes, purpose: str, value: str = "") -> str:
    """A value that only who knows the secret can make, and that tells nothing about it."""
    message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256")).decode().rstrip("=")


def shown_keys(scope: Scope) -> list[str]:
    """The keys that a request shows, right or wrong."""
    shown = Headers(scope=scope).getlist(HEADER)
    return shown + parse_qs(scope.get("query_string", b"").decode("latin-1")).get(PARAMETER, [])


def with_key(html: str, key: str) -> str:
    """The labelling page's HTML with the key, which its script moves to the local storage."""
    return html.replace("<head>", f'<head><meta name="{STORAGE_NAME}" content="{escape(key)}">', 1)


def question() -> bytes:
    """The page for an address that somebody typed: it asks for the same again, with the key."""
    return f"""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>dentasam</title></head>
<body><noscript>The labelling tool needs JavaScript.</noscript><script>{_SHOW}</script></body>
</html>
""".encode()
