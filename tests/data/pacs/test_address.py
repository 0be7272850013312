"""Which addresses and credentials are accepted, and that no message shows a secret."""

from pathlib import Path

import pytest

from dentasam.data.pacs.address import address_of
from dentasam.data.pacs.connection import connect
from dentasam.data.pacs.credentials import credentials_in
from dentasam.errors import PacsError


@pytest.mark.parametrize(
    "url",
    [
        "https://pacs.example.org/dicom-web/",
        "http://localhost:8042/dicom-web",
        "http://127.0.0.1:8042",
        "http://[::1]:80",
    ],
)
def test_https_and_loopback_are_accepted(url: str) -> None:
    assert address_of(url).base == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://pacs.example.org/dicom-web", "not encrypted.*--insecure-http"),
        ("http://127.0.0.1.example.org/", "not encrypted"),
        ("https://reader:hidden@pacs.example.org/", "holds credentials"),
        ("https://pacs.example.org/?token=hidden", "query or a fragment"),
        ("ftp://pacs.example.org/", "not a URL"),
        ("file:///etc/passwd", "not a URL"),
        ("pacs.example.org", "not a URL"),
        ("https://pacs.example.org:notaport/", "not a URL"),
        ("https://pacs.example.org\\@elsewhere.org/", "not a URL"),
        ("https:///dicom-web", "not a URL"),
        ("https://pacs.example.org/\nHost: x", "not a URL"),
    ],
)
def test_other_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(PacsError, match=message) as raised:
        address_of(url)
    assert "hidden" not in str(raised.value)


def test_plain_http_elsewhere_needs_the_option_and_takes_no_credentials() -> None:
    url = "http://pacs.example.org/dicom-web"
    assert connect(url, insecure_http=True, environment={}).base == url
    for secrets in (
        {"DENTASAM_PACS_TOKEN": "hidden"},
        {"DENTASAM_PACS_USER": "u", "DENTASAM_PACS_PASSWORD": "hidden"},
    ):
        with pytest.raises(PacsError, match="would travel in the open") as raised:
            connect(url, insecure_http=True, environment=secrets)
        assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TOKEN": "hidden", "USER": "reader"}, "unset one kind"),
        ({"USER": "reader"}, "set both"),
        ({"PASSWORD": "hidden"}, "set both"),
        ({"TOKEN": "hidden\r\nX-Other: 1"}, "line break"),
        ({"TOKEN": "hidden "}, "space"),
        ({"USER": "rea:der", "PASSWORD": "hidden"}, "colon"),
    ],
)
def test_unusable_credentials_are_refused_and_not_shown(environment: dict[str, str], message: str) -> None:
    with pytest.raises(PacsError, match=message) as raised:
        credentials_in({f"DENTASAM_PACS_{name}": value for name, value in environment.items()})
    assert "hidden" not in str(raised.value)


def test_credentials_do_not_show_in_their_repr() -> None:
    credentials = credentials_in({"DENTASAM_PACS_TOKEN": "hidden"})
    assert credentials is not None
    assert credentials.header == "Bearer hidden"
    assert "hidden" not in repr(credentials)


def test_a_certificate_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(PacsError, match="DENTASAM_PACS_CA names .*none.pem"):
        connect("https://pacs.example.org", environment={"DENTASAM_PACS_CA": str(tmp_path / "none.pem")})
