"""A connection to the DICOMweb service at one address: searches, downloads and uploads, with errors in one line."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentasam.data.pacs.address import Address, address_of
from dentasam.data.pacs.credentials import credentials_in
from dentasam.errors import ExtraError, PacsError

if TYPE_CHECKING:
    import requests
    from dicomweb_client.api import DICOMwebClient

    from dentasam.data.pacs.multipart import MultipartFiles
    from dentasam.data.pacs.session import OneServerSession

AUTHORITY = "DENTASAM_PACS_CA"
# Seconds until a server answers, and between two parts of its answer.
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Connection:
    """What `connect` returns. Every method raises PacsError where the server or the way to it fails."""

    address: Address
    timeout: tuple[float, float]
    _session: OneServerSession
    _client: DICOMwebClient

    @property
    def base(self) -> str:
        return self.address.base

    def search(
        self, filters: Mapping[str, str], fields: Sequence[str], limit: int, offset: int, study: str | None = None
    ) -> list[dict[str, Any]]:
        """One page of the instances that match, as DICOM JSON (QIDO-RS). study: a UID, to search in that study."""
        with self._errors_named():
            found: Any = self._client.search_for_instances(
                study, fields=list(fields), limit=limit, offset=offset, search_filters=dict(filters)
            )
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise PacsError(f"{self.base} answers a search with something else than DICOM JSON; check the address")
        return found

    @contextmanager
    def opened(self, path: str, accept: str, limit: int) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Content type and chunks of what lies at a path below the base (WADO-RS); limit: of all chunks, in bytes."""
        with (
            self._errors_named(),
            self._session.get(
                f"{self.base}/{path}", headers={"Accept": accept}, stream=True, timeout=self.timeout
            ) as response,
        ):
            self._session.bound(response, limit)
            yield response.headers.get("Content-Type", ""), response.iter_content(CHUNK_BYTES)

    def store(self, files: MultipartFiles) -> Any:
        """Sends files (STOW-RS) and returns the JSON of the answer, also of a refusal of all of them."""
        with self._errors_named():
            headers = {"Content-Type": files.content_type, "Accept": "application/dicom+json"}
            response = self._session.post(f"{self.base}/studies", data=files, headers=headers, timeout=self.timeout)
            return response.json()

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Turns what the HTTP libraries raise into PacsError: their own messages hold URLs with patients' ids."""
        import requests
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (requests.exceptions.JSONDecodeError, RecursionError):
            raise PacsError(
                f"{self.base} answers with something else than DICOM JSON; its path is often /dicom-web"
            ) from None
        except (requests.RequestException, HTTPError) as error:
            raise PacsError(f"{self.base} {_reason(error)}") from None


def connect(
    url: str,
    *,
    insecure_http: bool = False,
    answer_seconds: float = ANSWER_SECONDS,
    environment: Mapping[str, str] = os.environ,
) -> Connection:
    """A connection to a DICOMweb service; nothing is sent yet.

    Credentials come from `DENTASAM_PACS_TOKEN`, or `DENTASAM_PACS_USER` and `DENTASAM_PACS_PASSWORD`; certificates to
    trust in place of the public ones from the file that `DENTASAM_PACS_CA` names. Raises PacsError as `address_of`
    and `credentials_in`, and for credentials that would travel unencrypted; ExtraError without dicomweb-client.
    """
    address = address_of(url, insecure_http)
    credentials = credentials_in(environment)
    if credentials is not None and not address.is_protected:
        raise PacsError(
            f"{address.base} is not encrypted, so {credentials.source} would travel in the open; "
            "use https, or a tunnel to this machine"
        )
    authority = environment.get(AUTHORITY) or None
    if authority is not None and not Path(authority).is_file():
        raise PacsError(f"{AUTHORITY} names {authority}, which is not a file; name a file of PEM certificates")
    try:
        from dicomweb_client.api import DICOMwebClient

        from dentasam.data.pacs.session import OneServerSession
    except ImportError:
        raise ExtraError("a PACS needs the package dicomweb-client; pip install 'dentasam[pacs]'") from None
    session = OneServerSession(address, credentials, authority)
    timeout = (min(CONNECT_SECONDS, answer_seconds), answer_seconds)
    client = DICOMwebClient(address.base, session, timeout=timeout)
    # The session waits for a busy server itself.
    client.set_http_retry_params(retry=False)
    return Connection(address, timeout, session, client)


def _reason(error: requests.RequestException | Exception) -> str:
    import requests
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message
            return f"has a certificate that is not trusted ({why}); name a file with its issuer's in {AUTHORITY}"
    if isinstance(error, requests.exceptions.SSLError):
        return "does not speak TLS as expected; check the address and the port"
    if isinstance(error, requests.ConnectTimeout):
        return "cannot be reached in time; check the address and the network"
    if isinstance(error, requests.Timeout) or any(isinstance(cause, ReadTimeoutError) for cause in causes):
        return "does not answer in time; try again later"
    if any(isinstance(cause, ProtocolError) for cause in causes):
        return "ends the connection in the middle of a request or an answer; try again"
    found = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    why = f" ({found.strerror})" if isinstance(found, OSError) else ""
    return f"cannot be reached{why}; check the address and the network"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, as the HTTP libraries pack them into one another."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.append(current)
        yield current
        packed = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        waiting += [inner for inner in packed if isinstance(inner, BaseException)]
