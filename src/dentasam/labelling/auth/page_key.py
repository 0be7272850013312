"""The second half of a browser's session, which no other port of the host ever sees.

A browser sends the cookies of a host to all of its ports. Whatever serves another port of 127.0.0.1, of another user
too, could send a cookie on to this server. Therefore a cookie that a browser gets opens the page and its scripts
alone. For everything else its page shows a key as well, from its local storage, which belongs to one port: in the
header `X-Page-Key`, or as `key` in the address of a picture, a download or a form. No address that a browser stays at
holds it.

Scripts do not visit other ports with their cookies. Theirs are whole sessions, so that `curl -c` and `curl -b` do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from html import escape
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.types import Scope

HEADER: Final = "x-page-key"
PARAMETER: Final = "key"
# Addresses that a browser saves and does not show.
DOWNLOADS: Final = "/api/export/"
# In the address of the page: the code for which it gets its key.
START: Final = "start"
STORAGE_NAME: Final = "dentasam-key"
# Begins a token that opens nothing without its key.
PAGE_PREFIX: Final = "page."

# The script of the page for an address that somebody typed. An address would keep the key: in the address bar, the
# history and the list of downloads. So the script sends it as a header, and shows what it gets.
_SHOW: Final = f"""
const HEADER = {json.dumps(HEADER)}, STORED = {json.dumps(STORAGE_NAME)};

function say(text) {{
  const shown = document.createElement("pre");
  shown.style.whiteSpace = "pre-wrap";
  shown.style.overflowWrap = "anywhere";
  shown.textContent = text;
  document.body.replaceChildren(shown);
}}

function fileName(disposition) {{
  const [, encoded] = /filename\\*=utf-8''([^;]*)/i.exec(disposition) ?? [];
  const [, plain] = /filename="?([^";]*)/i.exec(disposition) ?? [];
  return encoded ? decodeURIComponent(encoded) : (plain ?? location.pathname.split("/").pop());
}}

async function show() {{
  const key = localStorage.getItem(STORED);
  if (!key) return say("This browser has lost the key of its page. Sign in again.");
  const answer = await fetch(location.href, {{ headers: {{ [HEADER]: key }}, cache: "no-store" }});
  const type = answer.headers.get("content-type") ?? "";
  const disposition = answer.headers.get("content-disposition") ?? "";
  if (!disposition.startsWith("attachment") && /^text\\/|^application\\/json/.test(type)) {{
    const text = await answer.text();
    return say(!answer.ok && type.includes("json") ? JSON.parse(text).detail : text);
  }}
  const address = URL.createObjectURL(await answer.blob());
  if (answer.ok && type.startsWith("image/")) {{
    const picture = new Image();
    picture.src = address;
    return document.body.replaceChildren(picture);
  }}
  const name = fileName(disposition);
  say(answer.ok ? `${{name}} is downloaded.` : `${{answer.status}} ${{answer.statusText}}`);
  if (answer.ok) Object.assign(document.createElement("a"), {{ href: address, download: name }}).click();
}}

show().catch((error) => say(`This address cannot be shown: ${{error.message}}`));
"""


_DIGEST: Final = base64.b64encode(hashlib.sha256(_SHOW.encode()).digest()).decode()
QUESTION_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'sha256-{_DIGEST}'",
        "connect-src 'self'",
        "img-src blob:",
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


def without_key(scope: Scope) -> str | None:
    """Where a browser goes that would stay at an address of the API with the key in it; None for other requests.

    A picture of the page opened in a tab of its own is such an address. A download is not: the browser stays where
    it was.
    """
    headers = Headers(scope=scope)
    path = bytes(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    stays = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    if scope["method"] != "GET" or not stays or not path.startswith("/api/") or path.startswith(DOWNLOADS):
        return None
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in query if name != PARAMETER]
    if len(kept) == len(query):
        return None
    return f"{path}?{urlencode(kept)}" if kept else path


def question() -> bytes:
    """The page for an address that somebody typed: it asks for the same again, with the key, and shows the answer."""
    return f"""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>dentasam</title></head>
<body><noscript>The labelling tool needs JavaScript.</noscript><script>{_SHOW}</script></body>
</html>
""".encode()
