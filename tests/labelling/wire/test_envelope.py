import json
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.labelling.wire import envelope
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import EnvelopeError, pack, unpack

KEYS = st.text(max_size=5)
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
BOXED = st.builds(
    lambda x, y, bits: BoxMask(x, y, np.array(bits, bool).reshape(2, 3)),
    st.integers(0, 50),
    st.integers(0, 50),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
DOCUMENTS = st.recursive(
    PLAIN | st.text(max_size=8) | BOXED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def raw(document: Any, blobs: bytes = b"") -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"DSM1" + struct.pack("<I", len(text)) + text + blobs


def reference(**change: Any) -> dict[str, Any]:
    return {"x": 0, "y": 0, "width": 2, "height": 2, "offset": 0, "length": 1} | change


@given(DOCUMENTS)
def test_a_document_survives(document: Any) -> None:
    assert unpack(pack(document)) == document


def test_the_bytes_are_laid_out_as_documented() -> None:
    body = pack({"mask": BoxMask(4, 5, np.array([[1, 0]], bool)), "é": [BoxMask(0, 0, np.ones((2, 2), bool))]})
    (length,) = struct.unpack("<I", body[4:8])
    assert body[:4] == b"DSM1"
    assert json.loads(body[8 : 8 + length]) == {
        "mask": {"x": 4, "y": 5, "width": 2, "height": 1, "offset": 0, "length": 3},
        "é": [{"x": 0, "y": 0, "width": 2, "height": 2, "offset": 3, "length": 2}],
    }
    assert body[8 + length :] == bytes([0, 1, 1, 0, 4])


def test_an_empty_mask_has_no_bytes() -> None:
    body = pack([BoxMask.empty()])
    assert json.loads(body[8:]) == [{"x": 0, "y": 0, "width": 0, "height": 0, "offset": 0, "length": 0}]
    assert unpack(body)[0].area == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"DSM1",
        b"DSM2\0\0\0\0",
        b"DSM1\xff\xff\xff\xff{}",
        raw(b"{"),
        raw(b"\xff\xfe"),
        raw(b"[NaN]"),
        raw(b"[Infinity]"),
        raw(b"[" * 100_000),
        raw(b"1" * 5000),
        raw([reference()]),  # its bits lie behind the end
        raw([reference(offset=1)], b"\x04"),
        raw([reference(length=-1)], b"\x04"),
        raw([reference(x=0.5)], b"\x04"),
        raw([reference(x=True)], b"\x04"),
        raw([reference(width="2")], b"\x04"),
        raw([reference(width=3)], b"\x04"),  # the runs cover another box
        raw([reference(), reference()], b"\x04"),  # one blob for two masks
    ],
)
def test_malformed_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        unpack(body)


def test_the_masks_of_a_body_are_bounded_together() -> None:
    body = pack([BoxMask(0, 0, np.ones((10, 10), bool))] * 3)
    assert len(unpack(body, limit=300)) == 3
    with pytest.raises(EnvelopeError, match="more pixels than one body may hold"):
        unpack(body, limit=299)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_an_envelope_error(tail: bytes) -> None:
    for body in (tail, b"DSM1" + tail, raw([reference()], tail)):
        try:
            document = unpack(body)
        except EnvelopeError:
            continue
        assert unpack(pack(document)) == document


def test_a_box_that_does_not_fit_the_case_is_refused_before_anything_is_decoded() -> None:
    runs = b"\x00\x80\xc2\xd7\x2f"  # 100 million pixels
    box = {"width": 10_000, "height": 10_000, "length": len(runs)}
    body = raw([reference(**box, offset=len(runs) * index) for index in range(4)], runs * 4)
    tracemalloc.start()
    try:
        with pytest.raises(EnvelopeError, match="does not fit the image of 700 x 501"):
            unpack(body, size=(501, 700))
        # Where it fits, its bits are still not decoded.
        assert [mask.area for mask in unpack(body)] == [10**8] * 4
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_an_empty_mask_fits_every_case() -> None:
    assert unpack(pack([BoxMask.empty()]), size=(1, 1))[0].area == 0


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (b"[" * 40 + b"1" + b"]" * 40, "nested more than 32 levels"),
        (b"[1" + b"0" * 400 + b"]", "more than 64 bits"),
        (b"[1e400]", "too large"),
        (b"[" + b"[]," * 1_000_000 + b"1]", "lists and objects"),
    ],
)
def test_documents_are_bounded(document: bytes, what: str) -> None:
    with pytest.raises(EnvelopeError, match=what):
        unpack(raw(document))


def test_a_document_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "DOCUMENT_BYTES", 10)
    assert unpack(raw(b'"12345678"')) == "12345678"
    with pytest.raises(EnvelopeError, match="more than 10 bytes"):
        unpack(raw(b'"123456789"'))
