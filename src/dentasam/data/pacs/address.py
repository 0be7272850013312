"""The address of a DICOMweb service, and which addresses are accepted."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from dentasam.errors import PacsError
from dentasam.loopback import is_loopback

PORTS = {"http": 80, "https": 443}
EXAMPLE = "https://pacs.example.org/dicom-web"


@dataclass(frozen=True)
class Address:
    """base: the URL without credentials and without a slash at its end, safe to show."""

    base: str
    scheme: str
    host: str
    port: int

    @property
    def is_protected(self) -> bool:
        """Whether nobody on the way can read along: https, or this machine itself."""
        return self.scheme == "https" or is_loopback(self.host)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def address_of(url: str, insecure_http: bool = False) -> Address:
    """The address in a URL that a user gives.

    Raises PacsError for anything but https and http, for credentials, a query or a fragment in the URL, and for http
    to another machine unless `insecure_http`.
    """
    parts = split_url(url)
    if parts is None:
        raise PacsError(f"the PACS address is not a URL; write it as {EXAMPLE}")
    if "@" in parts.netloc:
        raise PacsError(
            "the PACS address holds credentials, which logs and process lists would show; "
            "give them in DENTASAM_PACS_USER and DENTASAM_PACS_PASSWORD"
        )
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise PacsError(f"the PACS address has a query or a fragment; write it as {EXAMPLE}, filters as --filter")
    address = Address(url.rstrip("/"), *origin_of(parts))
    if not address.is_protected and not insecure_http:
        raise PacsError(
            f"{address.base} is not encrypted, so that others on the network could read the images; "
            "use https, or give --insecure-http"
        )
    return address


def split_url(url: str) -> SplitResult | None:
    """The parts of an http or https URL; None for anything else."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def origin_of(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port, which together name a server."""
    return parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]
