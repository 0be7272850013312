"""Small radiographs in every kind of file that the product reads; one phantom, so that all show the same."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from dentasam.data.phantom import generate

WIDTH, HEIGHT = 128, 64


@cache
def gray8() -> np.ndarray:
    """(64, 128) uint8."""
    return generate(0, WIDTH, HEIGHT).image.astype(np.uint8)


def gray16() -> np.ndarray:
    """(64, 128) uint16, with all of its bits in use."""
    return (gray8().astype(np.uint16) * 257)[::-1]


def _rgb() -> np.ndarray:
    return np.stack([gray8(), gray8()[::-1], gray8()[:, ::-1]], axis=-1)


def build_png(folder: Path) -> None:
    Image.fromarray(gray8()).save(folder / "gray8.png")
    Image.fromarray(gray16()).save(folder / "gray16.png")
    Image.fromarray(_rgb()).save(folder / "rgb.png", dpi=(300, 300))
    Image.fromarray(_rgb()).convert("RGBA").save(folder / "rgba.png")
    Image.fromarray(_rgb()).convert("P").save(folder / "palette.png")
    Image.fromarray(gray8()).convert("LA").save(folder / "gray-alpha.png")
    Image.fromarray(gray8()).convert("1").save(folder / "bits.png")


def build_jpeg(folder: Path) -> None:
    Image.fromarray(gray8()).save(folder / "gray.jpg", quality=90)
    Image.fromarray(_rgb()).save(folder / "progressive.jpg", progressive=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(_rgb()).save(folder / "turned.jpeg", exif=exif)
    Image.fromarray(_rgb()).convert("CMYK").save(folder / "cmyk.jpg")


def build_tiff(folder: Path) -> None:
    kinds: tuple[tuple[str, np.ndarray, dict[str, Any]], ...] = (
        ("gray8", gray8(), {}),
        ("gray16", gray16(), {"compression": "lzw"}),
        ("big-endian", gray16(), {"byteorder": ">"}),
        ("deflated", gray16(), {"compression": "zlib", "predictor": True, "rowsperstrip": 16}),
        ("tiled", gray8(), {"tile": (32, 32), "compression": "packbits"}),
        ("float", gray8().astype(np.float32) / 255, {}),
        ("int32", gray8().astype(np.int32) - 7, {}),
        ("rgb", _rgb(), {"photometric": "rgb"}),
        ("jpeg", gray8(), {"compression": "jpeg"}),
    )
    for name, pixels, options in kinds:
        tifffile.imwrite(folder / f"{name}.tif", pixels, metadata=None, **{"photometric": "minisblack", **options})
    tifffile.imwrite(folder / "big.tif", gray16(), bigtiff=True, photometric="minisblack", metadata=None)


def _header(syntax: UID, pixels: np.ndarray, bits: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    meta.MediaStorageSOPInstanceUID = UID("1.2.826.0.1.3680043.8.498.1")
    meta.TransferSyntaxUID = syntax
    encoding = {"is_implicit_VR": syntax.is_implicit_VR, "is_little_endian": syntax.is_little_endian}
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128), **encoding)
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3"
    header.PatientName, header.PatientID, header.PatientBirthDate = "Doe^Jane", "7", "19700101"
    header.StudyDate, header.Modality = "20240229", "PX"
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 8 * pixels.itemsize, bits, bits - 1
    header.PixelRepresentation = 0
    header.PixelSpacing = ["0.1", "0.1"]
    header.WindowCenter, header.WindowWidth = "2048", "4096"
    header.RescaleIntercept, header.RescaleSlope = "0", "1"
    return header


def _save(header: FileDataset, path: Path, content: bytes, vr: str, frame: bytes | None = None) -> None:
    header.PixelData = content if frame is None else encapsulate([frame])
    header["PixelData"].VR = vr if frame is None else "OB"
    if frame is not None:
        header["PixelData"].is_undefined_length = True
    header.save_as(path, enforce_file_format=True)


def _twelve() -> np.ndarray:
    return (gray8().astype(np.uint16) << 4).copy()


def build_dicom(folder: Path) -> None:
    pixels = _twelve()
    for name, syntax in (
        ("explicit", ExplicitVRLittleEndian),
        ("implicit", ImplicitVRLittleEndian),
        ("big-endian", ExplicitVRBigEndian),
        ("deflated", DeflatedExplicitVRLittleEndian),
    ):
        order = ">" if name == "big-endian" else "<"
        _save(_header(syntax, pixels, 12), folder / f"{name}.dcm", pixels.astype(f"{order}u2").tobytes(), "OW")
    header = _header(ExplicitVRLittleEndian, pixels, 12)
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table["LUTDescriptor"].VR = "US"
    table.add_new("LUTData", "US", [16 * value for value in range(4096)])
    header.VOILUTSequence = [table]
    _save(header, folder / "lut.dcm", pixels.tobytes(), "OW")
    _save(_header(ExplicitVRLittleEndian, gray8(), 8), folder / "eight.dcm", gray8().tobytes(), "OB")


def build_compressed_dicom(folder: Path) -> None:
    pixels, small = _twelve(), gray8()
    rle = _header(ExplicitVRLittleEndian, pixels, 12)
    rle.PixelData = pixels.tobytes()
    rle.compress(RLELossless, generate_instance_uid=False)
    rle.save_as(folder / "rle.dcm", enforce_file_format=True)
    coded = bytes(jpeg_ls.encode_buffer(pixels.tobytes(), HEIGHT, WIDTH, 1, 12, 0, None))
    _save(_header(JPEGLSLossless, pixels, 12), folder / "jpeg-ls.dcm", b"", "OB", coded)
    coded = bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=12))
    _save(_header(JPEGLosslessSV1, pixels, 12), folder / "jpeg-lossless.dcm", b"", "OB", coded)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000", no_jp2=True)
    _save(_header(JPEG2000Lossless, pixels, 16), folder / "jpeg-2000.dcm", b"", "OB", file.getvalue())
    file = BytesIO()
    Image.fromarray(small).save(file, "JPEG", quality=95)
    _save(_header(JPEGBaseline8Bit, small, 8), folder / "jpeg.dcm", b"", "OB", file.getvalue())
