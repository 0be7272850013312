"""Compressed pixel data → the samples that were compressed, without trusting the file's header.

The compressed image itself says how it is coded, and its size is compared with the header before it is decoded:

    RLE                               imagecodecs
    JPEG of 8 bits, JPEG 2000, HTJ2K  Pillow
    JPEG-LS                           pyjpegls
    JPEG Lossless, JPEG of 12 bits    GDCM, in a process of its own
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.uid import HTJ2K, JPEG2000, UID, JPEGExtended12Bit, JPEGLossless, JPEGLSNearLossless, RLELossless

from dentasam.data.images.dicom.compression import codestream
from dentasam.data.images.dicom.compression.codestream import Codestream, codestream_of
from dentasam.data.images.dicom.compression.pixel_element import ITEM
from dentasam.data.images.dicom.compression.run_lengths import run_lengths
from dentasam.data.images.dicom.elements import UnreadableError
from dentasam.data.images.dicom.layout import DECODED_TO_RGB, YBR, Layout
from dentasam.data.images.size_limit import MAX_FRAGMENTS, MAX_SCANS, START_OF_SCAN

JPEG_FAMILY = "1.2.840.10008.1.2.4."
# JPEG, JPEG-LS, JPEG 2000 and HTJ2K. The others of the family are video, JPIP, JPEG XS and JPEG XL.
STILL_IMAGES = frozenset({*range(50, 67), 70, 80, 81, 90, 91, 92, 93, 201, 202, 203})
# A decoder that takes longer has hung; the largest images take a tenth of it.
DECODER_TIMEOUT_SECONDS = 120
WORKER = Path(__file__).with_name("gdcm_worker.py")
DCT_CODINGS = (codestream.BASELINE, codestream.EXTENDED, codestream.PROGRESSIVE)
UP_TO_16_BITS = (codestream.JPEG_2000, codestream.JPEG_LS, codestream.LOSSLESS)
LOSSY = (JPEGLSNearLossless, JPEG2000, HTJ2K)
# Fragments have an even length; writers pad with either byte.
END_OF_IMAGE, PADDING = b"\xff\xd9", b"\0\xff"


@dataclass(frozen=True)
class Decoded:
    """samples (H, W) or (H, W, 3), unsigned; bits: of a sample. lossy: values may lie beyond the stored bits."""

    samples: np.ndarray
    bits: int
    lossy: bool = False
    photometric: str = ""


def missing_decoder(syntax: UID) -> str:
    """An error, to follow the file's name, where a transfer syntax cannot be read; else empty."""
    number = syntax.removeprefix(JPEG_FAMILY)
    if syntax == RLELossless:
        return ""
    if not (syntax.startswith(JPEG_FAMILY) and number.isdigit() and int(number) in STILL_IMAGES):
        return f"has the transfer syntax {syntax.name}, which is not read; export it uncompressed"
    no_decoder = f"is compressed as {syntax.name}, for which no decoder is installed; export it uncompressed"
    if number in ("57", "58", "70") and not _is_installed("gdcm"):
        return f"{no_decoder}, or pip install python-gdcm"
    if number in ("80", "81") and not _is_installed("jpeg_ls"):
        return f"{no_decoder}, or pip install pyjpegls"
    return ""


def decode(content: bytes, syntax: UID, layout: Layout) -> Decoded:
    """Decodes encapsulated pixel data of one frame.

    Raises ValueError (or what a decoder raises) for damage, UnreadableError for a compression that is not read.
    """
    if content.count(ITEM) > MAX_FRAGMENTS:
        raise ValueError(f"its pixel data have more than {MAX_FRAGMENTS:,} fragments")
    frame = get_frame(content, 0, number_of_frames=1)
    if syntax == RLELossless:
        return Decoded(run_lengths(frame, layout), layout.allocated)
    stream = codestream_of(frame)
    check_stream(stream, layout)
    if stream.coding in DCT_CODINGS and frame.count(START_OF_SCAN) > MAX_SCANS:
        raise ValueError(f"its JPEG image has more than {MAX_SCANS} scans")
    lossy = syntax in LOSSY or stream.coding in DCT_CODINGS
    return Decoded(_samples(frame, stream), stream.bits, lossy, _photometric(stream, layout))


def check_stream(stream: Codestream, layout: Layout) -> None:
    """Raises ValueError for another size than the header says, UnreadableError for an image that is not read."""
    stated = (layout.columns, layout.rows, layout.samples)
    if (stream.columns, stream.rows, stream.samples) != stated:
        raise ValueError(
            f"the compressed image has {stream.columns} x {stream.rows} x {stream.samples} samples, "
            f"its header says {' x '.join(map(str, stated))}"
        )
    if stream.coding in DCT_CODINGS and stream.bits == 8:
        return
    if stream.coding == codestream.EXTENDED and stream.bits == 12:
        return
    if stream.coding not in UP_TO_16_BITS or stream.bits > 16:
        name = "JPEG 2000" if stream.coding == codestream.JPEG_2000 else f"JPEG (SOF{stream.coding - 0xC0})"
        raise UnreadableError(f"is compressed as {name} of {stream.bits} bits, which is not read")


def _samples(frame: bytes, stream: Codestream) -> np.ndarray:
    if stream.coding == codestream.JPEG_2000:
        return _jpeg_2000(frame, stream)
    if stream.coding == codestream.JPEG_LS:
        return _jpeg_ls(frame, stream)
    if stream.coding == codestream.LOSSLESS:
        return _by_gdcm(frame, stream, JPEGLossless)
    return _jpeg(frame, stream) if stream.bits == 8 else _by_gdcm(frame, stream, JPEGExtended12Bit)


def _photometric(stream: Codestream, layout: Layout) -> str:
    """What the decoded samples are: the image's own markers take precedence over the header, as in other decoders."""
    if layout.samples == 1:
        return layout.photometric
    if stream.coding == codestream.JPEG_2000:
        return "RGB" if layout.photometric in DECODED_TO_RGB else layout.photometric
    if stream.colour:
        return "RGB" if stream.colour == "RGB" else YBR[0]
    return layout.photometric


def _jpeg(frame: bytes, stream: Codestream) -> np.ndarray:
    with Image.open(BytesIO(frame), formats=("JPEG",)) as image:
        # Pillow would turn YBR to RGB, also three samples that are RGB already and not marked as such.
        if stream.samples == 3 and stream.colour != "RGB":
            image.draft("YCbCr", image.size)
        return np.array(image)


def _jpeg_2000(frame: bytes, stream: Codestream) -> np.ndarray:
    """Samples as the two's complement of the stream's bits."""
    # Boxes of a JP2 file around the codestream do not belong there, and would turn YBR to RGB.
    bare = frame[frame.find(codestream.SOC_SIZ) :]
    if stream.samples > 1 and stream.bits > 8:
        # Pillow cuts several samples to 8 bits.
        return _by_gdcm(bare, stream, JPEG2000)
    try:
        with Image.open(BytesIO(bare), formats=("JPEG2000",)) as image:
            samples = np.array(image)
    except OSError:
        # Pillow does not take tile parts that are counted wrongly, as old versions of OpenJPEG wrote them.
        return _by_gdcm(bare, stream, JPEG2000)
    # Pillow shifts the bits up and makes them unsigned.
    samples = samples >> (8 * samples.itemsize - stream.bits)
    return samples ^ (1 << (stream.bits - 1)) if stream.signed else samples


def _jpeg_ls(frame: bytes, stream: Codestream) -> np.ndarray:
    import jpeg_ls

    buffer, info = jpeg_ls.decode_pixel_data(frame)
    samples = np.frombuffer(buffer, np.uint8 if stream.bits <= 8 else np.uint16)
    if stream.samples == 1:
        return samples.reshape(stream.rows, stream.columns)
    # Interleave mode 0 is one plane after another.
    if info["interleave_mode"] == 0:
        return np.moveaxis(samples.reshape(stream.samples, stream.rows, stream.columns), 0, -1)
    return samples.reshape(stream.rows, stream.columns, stream.samples)


def _by_gdcm(frame: bytes, stream: Codestream, syntax: UID) -> np.ndarray:
    if not frame.rstrip(PADDING).endswith(END_OF_IMAGE):
        raise ValueError("its JPEG image ends early")
    if not _is_installed("gdcm"):
        raise UnreadableError("is compressed as JPEG for which no decoder is installed (pip install python-gdcm)")
    shape = (stream.rows, stream.columns, stream.samples)[: 2 if stream.samples == 1 else 3]
    arguments = [str(syntax), *map(str, (stream.columns, stream.rows, stream.samples, stream.bits))]
    # Without the worker's folder in its path, whose modules are not to stand in for others.
    command = [sys.executable, "-P", str(WORKER), *arguments]
    done = subprocess.run(command, input=frame, capture_output=True, timeout=DECODER_TIMEOUT_SECONDS, check=False)
    samples = np.frombuffer(done.stdout, np.uint8 if stream.bits <= 8 else np.uint16)
    if done.returncode or samples.size != np.prod(shape) or b"Corrupt JPEG" in done.stderr:
        raise ValueError("its JPEG image cannot be decoded")
    return samples.reshape(shape)


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None
