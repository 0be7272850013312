"""multipart/related as DICOMweb uses it (PS3.18 8.6.1.2, RFC 2387): one part out of an answer, files into a request.

Both are streamed, and the bytes of a file are passed on as they are. dicomweb-client would hold the whole message in
memory, parse each instance, and write it anew.
"""

import uuid
from collections.abc import Iterator, Sequence
from email.message import Message
from pathlib import Path

from dentasam.errors import PacsError

DICOM = "application/dicom"
MAX_HEADER_BYTES = 16_384
COPY_BYTES = 1 << 20


def instance_bytes(base: str, content_type: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of the one instance in an answer, in chunks.

    base: the server's address, for errors. Raises PacsError for an answer of another kind, and one that is cut off or
    holds none or several.
    """
    header = Message()
    header["Content-Type"] = content_type
    kind = header.get_content_type()
    boundary = header.get_param("boundary")
    if kind == DICOM:
        # Not what the standard asks for, but what some servers send for a single instance.
        yield from chunks
    elif kind == "multipart/related" and isinstance(boundary, str) and 0 < len(boundary) <= 200:
        yield from _only_part(base, f"--{boundary}".encode(), chunks)
    else:
        raise PacsError(f"{base} sends {kind if content_type else 'an unknown kind'!r:.40} in place of DICOM")


def _only_part(base: str, mark: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    cut_off = PacsError(f"{base} sends an incomplete instance; try again")
    held = b""
    # The mark may stand at the very start, and headers end with an empty line.
    for end in (mark, b"\r\n\r\n"):
        while end not in held:
            chunk = next(chunks, None)
            if chunk is None or len(held) > MAX_HEADER_BYTES:
                raise cut_off
            held += chunk
        held = held[held.index(end) + len(end) :]
        if end is mark and held.startswith(b"--"):
            raise PacsError(f"{base} sends no instance where one was asked for; ask its administrator")
    delimiter = b"\r\n" + mark
    while (place := held.find(delimiter)) < 0:
        # The end of what is held may be the start of the delimiter.
        safe = max(len(held) - len(delimiter) + 1, 0)
        if safe:
            yield held[:safe]
        chunk = next(chunks, None)
        if chunk is None:
            raise cut_off
        held = held[safe:] + chunk
    yield held[:place]
    rest = held[place + len(delimiter) :]
    while len(rest) < 2:
        chunk = next(chunks, None)
        if chunk is None:
            raise cut_off
        rest += chunk
    if not rest.startswith(b"--"):
        raise PacsError(f"{base} sends several instances where one was asked for; ask its administrator")


class MultipartFiles:
    """The body of a request that carries DICOM files, read as it is sent; its length is known before."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths, self._sizes = paths, [path.stat().st_size for path in paths]
        boundary = uuid.uuid4().hex
        self.content_type = f'multipart/related; type="{DICOM}"; boundary={boundary}'
        self._before = f"\r\n--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode()
        self._end = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return sum(self._sizes) + len(self._paths) * len(self._before) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for path in self._paths:
            yield self._before
            with path.open("rb") as file:
                while chunk := file.read(COPY_BYTES):
                    yield chunk
        yield self._end
