"""A folder of images to label: copies of a phantom for the tests to use up, a large one, a radiograph of 16 bits."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from scipy import ndimage

from dentasam.data.phantom import PhantomObject, generate

COPIES = 72
LARGE, RADIOGRAPH = "large.png", "radiograph.dcm"
PATIENT = "Mustermann^Erika"
PATIENT_ID = "QX-4711-0815"


@dataclass
class WorkList:
    """truth: the objects of the phantom that every copy shows. fresh: names of copies that no test has used."""

    folder: Path
    truth: list[PhantomObject]
    radiograph: np.ndarray
    fresh: list[str] = field(default_factory=list)

    def tooth(self, number: str) -> np.ndarray:
        """The true mask (H, W) bool of a tooth."""
        return next(each.mask for each in self.truth if each.category == number)


def write_worklist(folder: Path, copies: int = COPIES) -> WorkList:
    """The images, as files. All copies have the same bytes, so that the model encodes them once."""
    phantom = generate(3)
    folder.mkdir()
    # Three digits: letters and numbers order the names alike, for the tests and for the page.
    names = [f"copy-{index:03d}.png" for index in range(copies)]
    Image.fromarray(phantom.image).save(folder / names[0])
    for name in names[1:]:
        shutil.copyfile(folder / names[0], folder / name)
    Image.fromarray(cv2.resize(phantom.image, (3000, 1500))).save(folder / LARGE, compress_level=1)
    pixels = radiograph(phantom.image)
    write_dicom(folder / RADIOGRAPH, pixels)
    return WorkList(folder, phantom.objects, pixels, names[::-1])


def radiograph(image: np.ndarray) -> np.ndarray:
    """An image (H, W) uint8 as one of 16 bits, whose low bits say something too."""
    noise = np.random.default_rng(5).integers(0, 256, image.shape, np.uint16)
    pixels: np.ndarray = (image.astype(np.uint16) << 8) | noise
    pixels[0, 0], pixels[0, 1] = 0, 65535
    return pixels


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    """A radiograph as a device writes it, with a patient's name."""
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID
    header.PatientName, header.PatientID, header.PatientBirthDate = PATIENT, PATIENT_ID, "19630412"
    header.Modality, header.PhotometricInterpretation = "PX", "MONOCHROME2"
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelData = pixels.astype("<u2").tobytes()
    header.save_as(path, enforce_file_format=True)


def middle(mask: np.ndarray) -> tuple[float, float]:
    """The image point of a mask (H, W) bool that lies farthest from its border."""
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), mask.shape)
    return float(x) + 0.5, float(y) + 0.5


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    return float((a & b).sum() / (a | b).sum())
