"""What the status of an answer means to the user."""

from http import HTTPStatus
from urllib.parse import urljoin

from dentasam.data.pacs.address import origin_of, split_url
from dentasam.data.pacs.credentials import PASSWORD, TOKEN, USER, Credentials
from dentasam.errors import PacsError

# STOW-RS answers with it, and lists which instances were refused.
CONFLICT = 409


class RequestRefused(PacsError):
    """The server answers that this one request failed; others may succeed."""


def check_status(base: str, status: int, url: str, location: str, credentials: Credentials | None) -> None:
    """Raises PacsError for a redirect, refused credentials and any other error, `RequestRefused` for the last.

    base: the address of the service, for messages. url: what was asked for. location: where a redirect points.
    """
    if 200 <= status < 300 or status == CONFLICT:
        return
    if 300 <= status < 400:
        target = _server_of(url, location)
        raise PacsError(f"{base} redirects to {target}; redirects are not followed: give its address")
    if status in (401, 403):
        if credentials is None:
            raise PacsError(f"{base} asks for credentials ({status}); set {TOKEN}, or {USER} and {PASSWORD}")
        raise PacsError(f"{base} refuses {credentials.source} ({status}); check them and what they may do")
    if status == 404:
        raise RequestRefused(f"{base} does not have what was asked for (404); its path is often /dicom-web")
    if status == 400:
        raise RequestRefused(
            f"{base} does not accept the request (400); see its log, and whether its path is /dicom-web"
        )
    raise RequestRefused(f"{base} answers {status} ({_phrase(status)}); see its log, or try again later")


def _server_of(url: str, location: str) -> str:
    """The server that a redirect names, without the path, which may hold a token."""
    parts = split_url(urljoin(url, location))
    if parts is None:
        return "no usable address"
    scheme, host, port = origin_of(parts)
    return f"{scheme}://{host:.60}:{port}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "an unknown status"
