"""https: a certificate that nobody vouches for ends the connection, and DENTASAM_PACS_CA names who may."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from dentasam.data.pacs.connection import connect
from dentasam.errors import PacsError

from .fake_server import Answer, serving

OPENSSL = shutil.which("openssl") or ""


@pytest.mark.skipif(not OPENSSL, reason="openssl, which makes the certificate, is not installed")
def test_only_the_named_certificates_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    make = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*make, *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # Which `requests` would take from the surroundings.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(lambda _: Answer(body=b"[]"), context) as fake:
        with pytest.raises(PacsError, match="certificate that is not trusted .*DENTASAM_PACS_CA"):
            connect(fake.url, environment={}).search({}, [], 1, 0)
        assert fake.requests == []
        trusting = connect(fake.url, environment={"DENTASAM_PACS_CA": str(certificate)})
        assert trusting.search({}, [], 1, 0) == []
        with pytest.raises(PacsError, match="ends the connection|cannot be reached"):
            connect(fake.url.replace("https", "http"), environment={}).search({}, [], 1, 0)
