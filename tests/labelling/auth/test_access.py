"""The layer before the routes: token, Host, Origin, headers and the size of bodies."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dentasam.labelling.auth import access as access_module
from dentasam.labelling.auth.access import Access, new_token
from dentasam.labelling.auth.middleware import AccessMiddleware, body_limit
from dentasam.labelling.auth.passwords import Annotators
from dentasam.loopback import is_loopback

TOKEN = "a-token-of-some-length"
BASE = "http://127.0.0.1:8765"


async def _who(request: Request) -> Response:
    if request.method == "POST":
        await request.body()
    return PlainTextResponse(getattr(request.state, "annotator", "nobody"))


def client_of(access: Access, **options: Any) -> TestClient:
    routes = [Route(path, _who, methods=["GET", "POST"]) for path in ("/", "/healthz", "/api/cases", "/login")]
    app = AccessMiddleware(Starlette(routes=routes), access)
    return TestClient(app, base_url=BASE, follow_redirects=False, **options)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with client_of(Access(TOKEN, port=8765, annotator="me")) as client:
        yield client


BEARER = {"Authorization": f"Bearer {TOKEN}"}


def test_tokens_are_random_and_long() -> None:
    tokens = {new_token() for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


def test_the_url_holds_the_token() -> None:
    assert Access("abc", port=81).url == "http://127.0.0.1:81/?token=abc"
    assert Access("abc", port=81).address == "http://127.0.0.1:81/"
    assert Access("abc", host="::1", port=81).url == "http://[::1]:81/?token=abc"


def test_only_healthz_is_open(client: TestClient) -> None:
    assert client.get("/healthz").status_code == 200
    for path in ("/", "/api/cases", "/openapi.json", "/assets/index.js", "/nothing", "/login", "/healthz/"):
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert list(answer.json()) == ["detail"]
        assert "\n" not in answer.json()["detail"]


def test_healthz_says_the_same_to_anybody(client: TestClient) -> None:
    answer = client.get("/healthz", headers={"Host": "anything", **BEARER})
    assert (answer.status_code, answer.text) == (200, "nobody")


def test_the_token_as_bearer_or_cookie(client: TestClient) -> None:
    assert client.get("/api/cases", headers=BEARER).text == "me"
    assert client.get("/api/cases", headers={"Cookie": f"dentasam-8765={TOKEN}"}).text == "me"
    other = {"Cookie": f'csrftoken="{{odd}}"; dentasam-8765={TOKEN}; x={{"a":1}}'}
    assert client.get("/api/cases", headers=other).text == "me"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": f"dentasam-8766={TOKEN}"},
        {"Cookie": "dentasam-8765="},
    ],
)
def test_wrong_tokens(client: TestClient, headers: dict[str, str]) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    assert client.get("/api/cases", headers=raw).status_code == 401


def test_the_token_is_compared_in_constant_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def watch(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(access_module, "hmac", SimpleNamespace(compare_digest=watch))
    assert client.get("/api/cases", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert compared[-1] == (b"wrong", TOKEN.encode())


def test_the_token_leaves_the_address_bar(client: TestClient) -> None:
    answer = client.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie, _, attributes = answer.headers["set-cookie"].partition("; ")
    assert cookie.startswith("dentasam-8765=script.")
    assert TOKEN not in cookie
    assert attributes == "HttpOnly; SameSite=Strict; Path=/"
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/").text == "me"


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/api/cases", "/nothing"])
def test_a_browser_without_the_token_gets_a_page_that_says_what_to_do(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "dentasam label" in answer.text
    assert "?token=" in answer.text
    assert TOKEN not in answer.text
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "<script" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_scripts_and_writes_get_json_all_the_same(client: TestClient) -> None:
    assert list(client.get("/api/cases", headers={"Accept": "application/json"}).json()) == ["detail"]
    assert list(client.get("/").json()) == ["detail"]
    assert list(client.post("/api/cases", headers=BROWSER).json()) == ["detail"]


def test_a_browser_under_another_name_reads_why(client: TestClient) -> None:
    answer = client.get("/", headers={"Host": "evil.example:8765", **BROWSER})
    assert answer.status_code == 421
    assert answer.headers["content-type"].startswith("text/html")
    assert "evil.example" not in answer.text


def test_a_token_in_the_query_opens_nothing_else(client: TestClient) -> None:
    assert client.get(f"/api/cases?token={TOKEN}").status_code == 401
    assert client.post(f"/?token={TOKEN}").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/?token=").status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LOCALHOST:8765"])
def test_own_names(client: TestClient, host: str) -> None:
    assert client.get("/api/cases", headers={"Host": host, **BEARER}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8765",
        "127.0.0.1.evil.example:8765",
        "127.0.0.1:8766",
        "127.0.0.1",
        "localhost:8765@evil.example",
        "0.0.0.0:8765",
        "",
    ],
)
def test_foreign_names_are_refused_even_with_the_token(client: TestClient, host: str) -> None:
    assert client.get("/api/cases", headers={"Host": host, **BEARER}).status_code == 421
    assert client.get(f"/?token={TOKEN}", headers={"Host": host}).status_code == 421


def test_a_host_that_was_given_and_names_of_a_proxy() -> None:
    access = Access(TOKEN, host="10.1.2.3", port=80, names=["Label.Example"])
    scope: Any = {"server": ("10.1.2.3", 80)}
    for name in ("10.1.2.3:80", "10.1.2.3", "label.example", "label.example:80"):
        assert access.knows_host(name, scope), name
    assert not access.knows_host("other.example", scope)


def test_on_all_addresses_the_one_a_request_came_in_on_is_a_name() -> None:
    access = Access(TOKEN, host="0.0.0.0", port=8765)
    assert access.knows_host("192.168.7.8:8765", {"server": ("192.168.7.8", 8765)})
    assert access.knows_host("192.168.7.8:8765", {"server": ("::ffff:192.168.7.8", 8765)})
    assert access.knows_host("[fd00::8]:8765", {"server": ("fd00::8", 8765)})
    assert not access.knows_host("192.168.7.9:8765", {"server": ("192.168.7.8", 8765)})
    assert not access.knows_host("evil.example:8765", {"server": ("192.168.7.8", 8765)})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": BASE},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://127.0.0.1:8765"},
    ],
)
def test_writes_from_the_own_page_or_a_script(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/api/cases", headers=BEARER | headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:8766"},
        {"Origin": "http://localhost:8765"},
        {"Origin": "http://127.0.0.1:8765.evil.example"},
        {"Origin": "file://127.0.0.1:8765"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_writes_from_other_sites(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/api/cases", headers=BEARER | headers).status_code == 403


@pytest.mark.parametrize(("path", "host"), [("/api/cases", None), ("/healthz", None), ("/", None), ("/", "evil")])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str, host: str | None) -> None:
    headers = client.get(path, headers={"Host": host} if host else {}).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_a_declared_length_over_the_limit_is_refused_unread(client: TestClient) -> None:
    limit = body_limit("/api/cases")
    fits = client.post("/api/cases", headers=BEARER, content=b"x" * limit)
    assert fits.status_code == 200
    for length in (str(limit + 1), "9" * 30, "-1", "x", "²"):
        raw = {name.encode(): value.encode("latin-1") for name, value in {**BEARER, "Content-Length": length}.items()}
        answer = client.post("/api/cases", headers=raw, content=b"")
        assert answer.status_code == 413, length
    assert "at most 1048576 bytes" in answer.json()["detail"]


@pytest.mark.anyio
async def test_a_streamed_body_is_stopped_at_the_limit() -> None:
    access = Access(TOKEN, port=8765)
    limit, block = body_limit("/api/cases"), 65536
    given = 0

    async def endless() -> dict[str, Any]:
        nonlocal given
        given += block
        return {"type": "http.request", "body": b"x" * block, "more_body": True}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    async def send(message: Any) -> None:
        pass

    headers = [(b"host", b"127.0.0.1:8765"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/cases", "headers": headers, "query_string": b""}
    await AccessMiddleware(app, access)(scope, endless, send)
    assert limit < given <= limit + block


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_body_in_pieces_over_the_limit(client: TestClient) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(17):
            yield b"x" * 65536

    assert client.post("/api/cases", headers=BEARER, content=blocks()).status_code == 413


def test_named_annotators_sign_in(tmp_path: Path) -> None:
    annotators = Annotators(tmp_path / "annotators.yaml")
    annotators.add("anna", "crown and bridge")
    access = Access(TOKEN, annotators, host="0.0.0.0", port=8765)
    client = client_of(access)
    assert TOKEN not in access.url
    # The token opens nothing here, by whichever way it comes.
    assert client.get("/api/cases", headers=BEARER).status_code == 401
    assert client.get("/api/cases", headers={"Cookie": f"dentasam-8765={TOKEN}"}).status_code == 401
    there = client.get(f"/?token={TOKEN}")
    assert (there.status_code, there.headers["location"]) == (303, "/login")
    assert client.get("/login").status_code == 200
    session = access.sessions.begin("anna")
    assert client.get("/api/cases", headers={"Authorization": f"Bearer {session}"}).text == "anna"
    assert client.get("/api/cases", headers={"Cookie": f"dentasam-8765={session}"}).text == "anna"
    access.sessions.end(session)
    assert client.get("/api/cases", headers={"Authorization": f"Bearer {session}"}).status_code == 401


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.2", False),
        ("example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_what_counts_as_this_machine_alone(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
