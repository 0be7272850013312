"""The page for a person whose request is refused: without scripts, in place of the API's JSON."""

import base64
import hashlib
from html import escape
from typing import Final

# The labelling page's dark colours.
STYLE: Final = """
:root { color-scheme: dark; font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
body { display: grid; place-items: center; min-height: 95vh; margin: 0; background: #0b0e12; color: #e6ebf0; }
main { width: min(34rem, 90vw); }
code { background: #1d242c; border: 1px solid #2b343f; border-radius: 4px; padding: 0 0.25rem; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
WITHOUT_TOKEN: Final = """\
<p>This address alone does not open the labelling tool.</p>
<ol>
<li>Look at the terminal in which <code>dentasam label</code> runs. It printed an address with
<code>?token=</code> in it. Where somebody else runs it, ask them for that address.</li>
<li>Open the whole address in this browser.</li>
</ol>
<p>Work that was not sent yet is kept in this browser, and is sent when the address is open.
Pages that are still open go on by themselves then.</p>
"""


def refusal_page(title: str, detail: str) -> bytes:
    """The page as UTF-8. `detail`: HTML, as `WITHOUT_TOKEN` or a `paragraph`."""
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dentasam: {escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{detail}</main>
</body>
</html>
""".encode()


def paragraph(text: str) -> str:
    """A text as a paragraph of the page."""
    return f"<p>{escape(text)}</p>\n"
