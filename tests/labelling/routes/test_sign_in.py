"""Signing in by name and password, and out again."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.passwords import Annotators

from ..running import BASE, PORT, TOKEN, Running, folder_of_images, running

PASSWORD = "crown and bridge"
FORM = {"Origin": BASE}
PAGE = Path(__file__).parents[3] / "web" / "src"
COLOUR = re.compile(r"(--[\w-]+): (#[0-9a-f]+);")


class FormReader(HTMLParser):
    """The inputs of a form, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str | None]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("sign-in")
    annotators = Annotators(folder / "annotators.yaml")
    annotators.add("anna", PASSWORD)
    annotators.add("ben", PASSWORD + "s")
    page = folder / "page"
    page.mkdir()
    (page / "index.html").write_text("the page")
    access = Access(TOKEN, annotators, host="0.0.0.0", port=PORT)
    with running(folder_of_images(folder / "images"), access, page) as server:
        yield server


@pytest.fixture
def browser(server: Running) -> Iterator[TestClient]:
    """A browser of its own, without cookies or counted failures."""
    server.access.throttle.__init__()  # type: ignore[misc]
    with TestClient(server.app, base_url=BASE, follow_redirects=False) as browser:
        yield browser


def sign_in(browser: TestClient, name: str = "anna", password: str = PASSWORD) -> int:
    return browser.post("/login", data={"name": name, "password": password}, headers=FORM).status_code


def test_the_page_leads_to_the_form_and_the_form_to_the_page(browser: TestClient) -> None:
    there = browser.get("/")
    assert (there.status_code, there.headers["location"]) == (303, "/login")
    form = browser.get("/login")
    assert form.status_code == 200
    assert 'type="password"' in form.text
    assert "<script" not in form.text
    assert "style=" not in form.text
    assert browser.get("/login.css").headers["content-type"].startswith("text/css")
    signed = browser.post("/login", data={"name": "anna", "password": PASSWORD}, headers=FORM)
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    cookie = signed.headers["set-cookie"]
    assert cookie.startswith(f"dentasam-{PORT}=")
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert browser.get("/").text == "the page"
    session = browser.get("/api/session").json()
    assert (session["annotator"], session["sign_out"]) == ("anna", True)


def test_the_form_has_the_dark_colours_of_the_page(browser: TestClient) -> None:
    style = browser.get("/login.css").text
    assert "color-scheme: dark;" in style
    assert "prefers-color-scheme" not in style
    sheets = (path.read_text(encoding="utf-8") for path in PAGE.rglob("*.css"))
    theme = next(text for text in sheets if text.startswith(":root {"))
    dark = dict(COLOUR.findall(theme.partition("}")[0]))
    own = dict(COLOUR.findall(style))
    assert own
    assert own == {name: dark[name] for name in own}
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) == own.keys()


def test_who_is_signed_out_is_told_so_in_plain_words(browser: TestClient) -> None:
    answer = browser.get("/api/session")
    assert answer.status_code == 401
    assert answer.json() == {"detail": "you are not signed in any more; load the page again and sign in"}


def test_work_is_recorded_under_the_name_that_signed_in(server: Running, browser: TestClient) -> None:
    assert sign_in(browser, "ben", PASSWORD + "s") == 303
    comment = browser.post("/api/cases/1/comments", json={"text": "mine"}, headers=FORM)
    assert comment.json()["annotator"] == "ben"


def test_signing_out_ends_the_session(browser: TestClient) -> None:
    sign_in(browser)
    token = browser.cookies[f"dentasam-{PORT}"]
    out = browser.post("/logout", headers=FORM)
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in out.headers["set-cookie"]
    browser.cookies.clear()
    assert browser.get("/api/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "wrong password"), ("anna", PASSWORD + "s"), ("nobody", PASSWORD), ("", ""), ("ANNA", PASSWORD)],
)
def test_wrong_names_and_passwords_look_the_same(browser: TestClient, name: str, password: str) -> None:
    answer = browser.post("/login", data={"name": name, "password": password}, headers=FORM)
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert "set-cookie" not in answer.headers
    assert browser.get("/api/cases").status_code == 401


def test_a_wrong_password_keeps_the_name_and_asks_for_the_password(browser: TestClient) -> None:
    page = FormReader()
    page.feed(browser.post("/login", data={"name": 'Dr. Lee & "Sons"', "password": "x"}, headers=FORM).text)
    assert page.fields["name"]["value"] == 'Dr. Lee & "Sons"'
    assert "autofocus" not in page.fields["name"]
    assert "autofocus" in page.fields["password"]
    assert "value" not in page.fields["password"]


def test_a_name_cannot_leave_its_field(browser: TestClient) -> None:
    for name in ("<img src=x>", '"><img src=x>', "{fault}", "x" * 500):
        answer = browser.post("/login", data={"name": name, "password": "x"}, headers=FORM)
        assert "<img" not in answer.text
        page = FormReader()
        page.feed(answer.text)
        assert page.fields["name"]["value"] == name[:64]


def test_guessing_is_slowed_down(server: Running, browser: TestClient) -> None:
    for _ in range(server.access.throttle.PER_ADDRESS.most):
        assert sign_in(browser, password="a wrong guess") == 401
    answer = browser.post("/login", data={"name": "anna", "password": PASSWORD}, headers=FORM)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300
    assert "Try again in" in answer.text


def test_guesses_at_once_do_not_pass_together(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from dentasam.labelling.auth.access import MAX_SIMULTANEOUS_SIGN_INS, TooManyAttempts

    access = server.access
    access.throttle.__init__()  # type: ignore[misc]
    depth = 0

    def nested(name: str, password: str) -> bool:
        # Each guess starts the next while it is being checked.
        nonlocal depth
        depth += 1
        access.sign_in("anna", "again", "10.0.0.1")
        return False

    assert access.annotators is not None
    monkeypatch.setattr(access.annotators, "verify", nested)
    with pytest.raises(TooManyAttempts):
        access.sign_in("anna", "first", "10.0.0.1")
    assert depth == MAX_SIMULTANEOUS_SIGN_INS


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"name=anna", "application/json", 415),
        (b"name=anna", "multipart/form-data; boundary=x", 415),
        (b"name=%ff&password=x", "application/x-www-form-urlencoded", 422),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 20, "application/x-www-form-urlencoded", 422),
        (b"x" * 5000, "application/x-www-form-urlencoded", 413),
        (b"", "application/x-www-form-urlencoded", 401),
    ],
)
def test_forms_that_are_refused(browser: TestClient, body: bytes, kind: str, status: int) -> None:
    answer = browser.post("/login", content=body, headers={**FORM, "Content-Type": kind})
    assert answer.status_code == status


def test_another_site_cannot_sign_somebody_in(browser: TestClient) -> None:
    evil = {"Origin": "http://evil.example"}
    answer = browser.post("/login", data={"name": "anna", "password": PASSWORD}, headers=evil)
    assert answer.status_code == 403


def test_where_the_token_opens_the_page_nobody_signs_in(tmp_path: Path) -> None:
    with running(folder_of_images(tmp_path / "images")) as server:
        for path in ("/login", "/login.css"):
            assert server.client.get(path).status_code == 404
        for path in ("/login", "/logout"):
            sent = {"Content-Type": "application/x-www-form-urlencoded"}
            assert server.client.post(path, content=b"name=a", headers=sent).status_code == 404
