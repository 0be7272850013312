"""Signing in and out by name and password: a form without scripts."""

from html import escape
from math import ceil
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dentasam.labelling.auth.access import TooManyAttempts
from dentasam.labelling.auth.entrance import entrance
from dentasam.labelling.auth.middleware import from_browser
from dentasam.labelling.routes.shared.context import ContextDep

# Not in the OpenAPI: these pages are for people, and exist only if annotators sign in.
router = APIRouter(include_in_schema=False)

MAX_NAME_LENGTH = 64
# The same for a wrong name and a wrong password, so that nobody learns which names exist.
WRONG_CREDENTIALS = "Name or password is wrong. Check both, capital letters too, and try again."

# The dark colours of the labelling page, which follows after signing in.
STYLE = """\
:root {
  --ground: #0b0e12;
  --raised: #1d242c;
  --line: #2b343f;
  --text: #e6ebf0;
  --accent: #56b4e9;
  --on-accent: #06131c;
  --bad: #ff8a66;
  --focus: #9bd6f7;
  color-scheme: dark;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
body {
  display: grid;
  place-items: center;
  min-height: 95vh;
  margin: 0;
  background: var(--ground);
  color: var(--text);
}
form { display: grid; gap: 0.75rem; width: min(20rem, 90vw); }
label { display: grid; gap: 0.25rem; }
input, button { font: inherit; padding: 0.5rem; border: 1px solid var(--line); border-radius: 4px; }
input { background: var(--raised); color: var(--text); }
button { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
.error { color: var(--bad); margin: 0; }
"""
FORM = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dentasam: sign in</title>
<link rel="stylesheet" href="/login.css">
</head>
<body>
<main>
<form method="post" action="/login">
<h1>dentasam</h1>
{error}
<label>Name <input name="name" value="{name}" autocomplete="username" required{at_name} maxlength="64"></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" required{at_password} maxlength="256"></label>
<button>Sign in</button>
</form>
</main>
</body>
</html>
"""


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields. Raises HTTPException 422."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "the sign-in form sends application/x-www-form-urlencoded")
    try:
        given = parse_qs((await request.body()).decode("utf-8"), errors="strict", max_num_fields=10)
    except ValueError:
        raise HTTPException(422, "the sign-in form is malformed") from None
    return {name: values[0] for name, values in given.items()}


def _require_names(context: ContextDep) -> None:
    if context.access.annotators is None:
        raise HTTPException(404, "nobody signs in here; open the address that `dentasam label` printed")


@router.get("/login", dependencies=[Depends(_require_names)])
def form() -> HTMLResponse:
    return HTMLResponse(_form())


@router.get("/login.css", dependencies=[Depends(_require_names)])
def style() -> Response:
    return Response(STYLE, media_type="text/css")


@router.post("/login", dependencies=[Depends(_require_names)])
def sign_in(request: Request, context: ContextDep, fields: Annotated[dict[str, str], Depends(_fields)]) -> Response:
    address = request.client.host if request.client else ""
    page = from_browser(request.headers)
    name = fields.get("name", "")
    try:
        token = context.access.sign_in(name, fields.get("password", ""), address, page=page)
    except TooManyAttempts as error:
        seconds = ceil(error.seconds)
        text = f"Too many attempts. Try again in {seconds} seconds."
        return HTMLResponse(_form(name, text), 429, {"Retry-After": str(seconds)})
    if token is None:
        return HTMLResponse(_form(name, WRONG_CREDENTIALS), 401)
    return entrance(context.access, token, page=page)


@router.post("/logout", dependencies=[Depends(_require_names)])
def sign_out(request: Request, context: ContextDep) -> Response:
    context.access.sign_out(request.headers)
    return RedirectResponse("/login", 303, {"Set-Cookie": context.access.cookie_header("")})


def _form(name: str = "", error: str = "") -> str:
    """The form; when it is shown again, with the name that was typed and the error."""
    focus = " autofocus"
    return FORM.format(
        error=f'<p class="error" role="alert">{escape(error)}</p>' if error else "",
        name=escape(name[:MAX_NAME_LENGTH]),
        at_name="" if name else focus,
        at_password=focus if name else "",
    )
