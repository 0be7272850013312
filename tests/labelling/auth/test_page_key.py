"""What a browser gets opens nothing without the key of its page, which another port of the host never sees."""

import base64
import hashlib
import logging
import re
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.entrance import entrance
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.auth.sessions import Sessions

from ..running import PORT, folder_of_images, running
from ..running import TOKEN as RUNNING_TOKEN
from .test_access import BASE, BEARER, TOKEN, client_of

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def entered(client: TestClient, access: Access, address: str) -> tuple[str, str]:
    """The cookie and the key that a browser gets at an address."""
    answer = client.get(address, headers=BROWSER)
    found = re.fullmatch(r"/\?start=([\w-]{43})", answer.headers["location"])
    assert answer.status_code == 303
    assert found is not None
    cookie = answer.headers["set-cookie"].partition(";")[0]
    # Without the cookie the code is worth nothing, and it is worth something once.
    key = access.starting_key(found[1], Headers({"Cookie": cookie}))
    assert key is not None
    assert access.starting_key(found[1], Headers({"Cookie": cookie})) is None
    return cookie, key


def with_names(folder: Path, sessions: Sessions | None = None) -> Access:
    annotators = Annotators(folder / "annotators.yaml")
    if not annotators.names:
        annotators.add("anna", "a-password")
    return Access(TOKEN, annotators, port=8765, sessions=sessions)


def test_the_cookie_alone_opens_the_page_and_nothing_else() -> None:
    access = Access(TOKEN, port=8765, annotator="me")
    with client_of(access) as browser:
        cookie, key = entered(browser, access, access.url)
    assert TOKEN not in cookie
    assert key not in cookie
    with client_of(access) as replay:
        sent = {"Cookie": cookie}
        assert replay.get("/", headers=sent).text == "nobody"
        assert replay.get("/assets/index.js", headers=sent).status_code == 404
        for method, path in (("GET", "/api/cases"), ("POST", "/api/cases"), ("POST", "/"), ("GET", "/openapi.json")):
            assert replay.request(method, path, headers=sent).status_code == 401, path
            assert replay.request(method, path, headers={**sent, "X-Page-Key": "wrong"}).status_code == 401
        bearer = {"Authorization": f"Bearer {cookie.partition('=')[2]}"}
        assert replay.get("/api/cases", headers=bearer).status_code == 401
        assert replay.get("/api/cases", headers={"X-Page-Key": key}).status_code == 401
        # With the key it is the page.
        assert replay.get("/api/cases", headers={**sent, "X-Page-Key": key}).text == "me"
        assert replay.get(f"/api/cases?key={key}", headers=sent).text == "me"


def test_the_session_of_another_server_is_worth_nothing_here() -> None:
    there = Access("another-token", port=8765)
    with client_of(there) as browser:
        cookie, key = entered(browser, there, there.url)
    with client_of(Access(TOKEN, port=8765)) as here:
        assert here.get("/api/cases", headers={"Cookie": cookie, "X-Page-Key": key}).status_code == 401


def test_a_script_keeps_its_cookie_as_ever() -> None:
    access = Access(TOKEN, port=8765, annotator="me")
    with client_of(access) as script:
        assert script.get(access.url).status_code == 303
        assert script.get("/api/cases").text == "me"
        assert TOKEN not in str(dict(script.cookies))


def test_the_page_of_an_annotator_needs_its_key_too(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    access = with_names(tmp_path, Sessions(path=path))
    token = access.sign_in("anna", "a-password", "address", page=True)
    assert token is not None
    key = access.page_key(token)
    # Also after a restart.
    for known in (access, with_names(tmp_path, Sessions(path=path))):
        with client_of(known) as client:
            sent = {"Cookie": f"dentasam-8765={token}"}
            assert client.get("/", headers=sent).status_code == 200
            refused = client.get("/api/cases", headers=sent)
            assert (refused.status_code, "/login" in refused.json()["detail"]) == (401, True)
            stripped = {"Cookie": f"dentasam-8765={token.removeprefix('page.')}"}
            assert client.get("/api/cases", headers=stripped).status_code == 401
            assert client.get("/api/cases", headers={**sent, "X-Page-Key": key}).text == "anna"
    assert key not in path.read_text()


def test_the_key_comes_with_the_page_once(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<html><head></head></html>")
    access = Access(RUNNING_TOKEN, port=PORT, annotator="me")
    with running(folder_of_images(tmp_path / "images"), access, page) as server:
        answer = server.stranger.get(access.url, headers=BROWSER)
        start = answer.headers["location"]
        first, second = (server.stranger.get(start, headers=BROWSER) for _ in range(2))
        found = re.search(r'<meta name="dentasam-key" content="([\w-]{43})">', first.text)
        assert found is not None
        assert first.headers["cache-control"] == "no-store"
        assert "dentasam-key" not in second.text
        assert server.stranger.get("/api/cases").status_code == 401
        assert len(server.stranger.get("/api/cases", headers={"X-Page-Key": found[1]}).json()) == 2
        # As a link and as a form.
        assert server.stranger.get(f"/api/cases/1/thumbnail?key={found[1]}").status_code == 200
        assert server.stranger.get("/api/export/log", params={"key": found[1]}).status_code == 200


def test_a_code_of_one_annotator_gives_no_key_of_another(tmp_path: Path) -> None:
    access = with_names(tmp_path)
    tokens = {name: access.sessions.begin(name, "page.") for name in ("anna", "ben")}
    cookies = {name: {"Cookie": f"dentasam-8765={token}"} for name, token in tokens.items()}

    def code_of(name: str) -> str:
        return entrance(access, tokens[name], page=True).headers["location"].partition("=")[2]

    code = code_of("ben")
    # Anna's browser sends her cookie to a program of Ben at another port.
    assert access.starting_key(code, Headers(cookies["anna"])) is None
    # Beside his own session he gets the key of that one.
    both = {"Authorization": f"Bearer {tokens['ben']}", **cookies["anna"]}
    assert access.starting_key(code, Headers(both)) == access.page_key(tokens["ben"])
    assert access.starting_key(code, Headers(cookies["ben"])) is None
    # A second session of the same annotator has a key of its own.
    second = access.sessions.begin("ben", "page.")
    assert access.starting_key(code_of("ben"), Headers({"Cookie": f"dentasam-8765={second}"})) is None
    # Who has signed out gets none.
    code = code_of("anna")
    access.sessions.end(tokens["anna"])
    assert access.starting_key(code, Headers(cookies["anna"])) is None


def test_an_address_that_is_typed_is_asked_for_again_with_the_key_in_a_header() -> None:
    access = Access(TOKEN, port=8765, annotator="me")
    with client_of(access) as browser:
        _, key = entered(browser, access, access.url)
        asked = browser.get("/api/cases?finished=true", headers=BROWSER)
        script = re.search(r"<script>(.*)</script>", asked.text, re.DOTALL)
        assert asked.status_code == 200
        assert script is not None
        # No address gets it: neither the address bar's, nor one that the history or the downloads keep.
        assert "[HEADER]: key" in script[1]
        assert not re.search(r"searchParams|location\.(replace|assign)|location(\.href)? =[^=]", script[1])
        digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
        policy = asked.headers["content-security-policy"].split("; ")
        assert policy[:4] == [
            "default-src 'none'",
            f"script-src 'sha256-{digest}'",
            "connect-src 'self'",
            "img-src blob:",
        ]
        assert key not in asked.text
        assert browser.get("/api/cases?finished=true", headers={"X-Page-Key": key}).text == "me"
        # Once is enough.
        assert browser.get("/api/cases?key=wrong", headers=BROWSER).status_code == 401


STAYS = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def test_no_browser_stays_at_an_address_with_the_key() -> None:
    access = Access(TOKEN, port=8765, annotator="me")
    with client_of(access) as browser:
        _, key = entered(browser, access, access.url)
        for address, bare in (
            (f"/api/cases?key={key}", "/api/cases"),
            (f"/api/cases?a=%26&key={key}&b=", "/api/cases?a=%26&b="),
            (f"/api/%2F..%2Fx?key={key}&key=wrong", "/api/%2F..%2Fx"),
        ):
            moved = browser.get(address, headers=BROWSER | STAYS)
            assert (moved.status_code, moved.headers["location"]) == (303, bare)
        # What the page asks for itself, and what a browser saves, is answered at once.
        assert browser.get(f"/api/cases?key={key}", headers={"Sec-Fetch-Mode": "no-cors"}).text == "me"
        assert browser.get(f"/api/export/coco?key={key}", headers=BROWSER | STAYS).status_code == 404
        # Nowhere else is a browser sent on.
        for path in (f"{BASE}//evil.example/api/", "/", "/api"):
            assert "location" not in browser.get(f"{path}?key={key}", headers=BROWSER | STAYS).headers


def test_the_address_for_a_command_line_opens_once(caplog: pytest.LogCaptureFixture) -> None:
    access = Access(TOKEN, port=8765, annotator="me")
    address = access.one_time_url()
    assert TOKEN not in address
    with client_of(access) as client, caplog.at_level(logging.ERROR, "uvicorn.error"):
        cookie, key = entered(client, access, address)
        client.cookies.clear()
        assert client.get("/api/cases", headers={"Cookie": cookie, "X-Page-Key": key}).text == "me"
        again = client.get(address, headers=BROWSER)
        assert (again.status_code, "set-cookie" in again.headers) == (401, False)
        assert client.get("/?code=guessed", headers=BROWSER).status_code == 401
        assert client.get(address.replace("/?", "/api/cases?"), headers=BEARER).text == "me"


def test_annotators_sign_in_also_where_a_command_opens_the_page(tmp_path: Path) -> None:
    assert with_names(tmp_path).one_time_url() == "http://127.0.0.1:8765/"
