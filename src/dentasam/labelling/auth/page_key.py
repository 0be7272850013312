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
STORAGE_NAME: Final = "dentasam-key"
# Begins a token that opens nothing without its key.
PAGE_PREFIX: Final = "page."

_STORE: Final = f"""
localStorage.setItem({json.dumps(STORAGE_NAME)}, document.documentElement.dataset.key);
location.replace("/" + location.hash);
"""
_SHOW: Final = f"""
const there = new URL(location.href);
const key = localStorage.getItem({json.dumps(STORAGE_NAME)});
if (key) there.searchParams.set({json.dumps(PARAMETER)}, key);
if (key) location.replace(there);
else document.body.textContent = "This browser has lost the key of its page. Sign in again.";
"""


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'sha256-{digest}'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


HANDOVER_POLICY: Final = _policy(_STORE)
QUESTION_POLICY: Final = _policy(_SHOW)


def derived(secret: bytes, purpose: str, value: str = "") -> str:
    """A value that only who knows the secret can make, and that tells nothing about it."""
    message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256")).decode().rstrip("=")


def shown_keys(scope: Scope) -> list[str]:
    """The keys that a request shows, right or wrong."""
    shown = Headers(scope=scope).getlist(HEADER)
    return shown + parse_qs(scope.get("query_string", b"").decode("latin-1")).get(PARAMETER, [])


def handover(key: str) -> bytes:
    """The page that gives a browser its key, and goes on to the labelling page.

    The address that it replaces, with a token in it, does not stay in the browser's history.
    """
    return _page(_STORE, key)


def question() -> bytes:
    """The page for an address that somebody typed: it asks for the same again, with the key."""
    return _page(_SHOW)


def _page(script: str, key: str = "") -> bytes:
    return f"""\
<!doctype html>
<html lang="en" data-key="{escape(key)}">
<head><meta charset="utf-8"><title>dentasam</title></head>
<body><noscript>The labelling tool needs JavaScript.</noscript><script>{script}</script></body>
</html>
""".encode()
