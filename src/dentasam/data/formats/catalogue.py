"""The dataset formats by name, with what each keeps and loses: what `dentasam data formats` prints.

This file imports nothing that takes time to load, because the command's start-up imports it.
"""

from __future__ import annotations

from enum import StrEnum

from dentasam.data.formats.interface import FormatInfo


class Format(StrEnum):
    """The formats by the names that commands take."""

    coco = "coco"
    png = "png"
    labels = "labels"
    labelme = "labelme"
    label_studio = "label-studio"
    cvat = "cvat"
    yolo = "yolo"
    supervisely = "supervisely"
    nifti = "nifti"
    nnunet = "nnunet"
    dicom_seg = "dicom-seg"
    dentex = "dentex"
    tufts = "tufts"
    ufba425 = "ufba425"
    odontoai = "odontoai"
    sts2d = "sts2d"
    dc1000 = "dc1000"
    akudental = "akudental"


FORMATS = {
    Format.coco: FormatInfo(
        "a COCO instances JSON (polygons or RLE) and its images",
        keeps="overlap, holes, tags, crowds",
        polygons="corners",
    ),
    Format.png: FormatInfo(
        "a folder with images/ and, for each object, a black and white PNG under masks/",
        keeps="overlap, holes, tags",
        loses="crowds",
    ),
    Format.labels: FormatInfo(
        "a folder with images/ and, for each image, a label image under labels/",
        keeps="holes, tags",
        loses="overlap (the smaller object keeps its pixels), crowds",
    ),
    Format.labelme: FormatInfo(
        "LabelMe and X-AnyLabeling: a JSON beside each image",
        keeps="overlap, holes, tags",
        loses="crowds",
        polygons="centres, with the boundary drawn",
    ),
    Format.label_studio: FormatInfo(
        "Label Studio: a JSON export of tasks (not JSON-MIN), with a labeling configuration",
        keeps="overlap, holes, tags; on import the annotators",
        loses="crowds",
        polygons="corners",
    ),
    Format.cvat: FormatInfo(
        "CVAT for images 1.1: annotations.xml and images/",
        keeps="overlap, holes, tags",
        loses="crowds",
        polygons="corners",
    ),
    Format.yolo: FormatInfo(
        "YOLO for segmentation: data.yaml, images/ and a text file of outlines for each image under labels/",
        keeps="overlap, tags",
        loses="holes (filled), parts (joined by lines one pixel wide), crowds",
        polygons="centres, half a pixel further right and down",
    ),
    Format.supervisely: FormatInfo(
        "Supervisely: a project with meta.json and, in each dataset, img/ and ann/",
        keeps="overlap, holes, tags",
        polygons="centres, as OpenCV fills them",
        writes=False,
    ),
    Format.nifti: FormatInfo(
        "a folder with images/ and, for each image, a NIfTI label volume of one slice under labels/",
        keeps="holes, tags",
        loses="overlap (the smaller object keeps its pixels), crowds",
        extra="nifti",
    ),
    Format.nnunet: FormatInfo(
        "the raw data of nnU-Net v2: imagesTr/, labelsTr/ and dataset.json",
        keeps="holes, tags",
        loses="overlap (the smaller object keeps its pixels), objects of one category apart, crowds",
    ),
    Format.dicom_seg: FormatInfo(
        "DICOM segmentations, a segment for each object, beside the DICOM images that they refer to",
        keeps="overlap, holes",
        loses="tags, crowds",
        extra="dicom",
    ),
    Format.dentex: FormatInfo(
        "DENTEX (MICCAI 2023): a COCO file for each tier, by quadrant and tooth; crude outlines",
        keeps="overlap, holes, diseases",
        loses="boxes",
        polygons="corners",
        writes=False,
        public_set=True,
    ),
    Format.tufts: FormatInfo(
        "Tufts Dental Database: Radiographs/ and Segmentation/teeth_polygon.json, Universal numbers",
        keeps="overlap",
        loses="specks, abnormalities, boxes",
        polygons="centres, with the boundary drawn",
        writes=False,
        public_set=True,
    ),
    Format.ufba425: FormatInfo(
        "UFBA-425: a TIFF mask for each tooth, as published at 512x512",
        keeps="overlap, holes, tags",
        loses="boxes",
        writes=False,
        public_set=True,
    ),
    Format.odontoai: FormatInfo(
        "OdontoAI (O2PR): COCO with the teeth as categories 1 to 52",
        keeps="overlap, holes",
        loses="the split",
        polygons="corners",
        writes=False,
        public_set=True,
    ),
    Format.sts2d: FormatInfo(
        "STS-2D-Tooth: masks of all teeth as one; STS 2024: LabelMe outlines",
        keeps="holes",
        polygons="centres, with the boundary drawn",
        writes=False,
        public_set=True,
    ),
    Format.dc1000: FormatInfo(
        "DC1000: masks of caries; each piece is an object",
        keeps="holes, severity values",
        writes=False,
        public_set=True,
    ),
    Format.akudental: FormatInfo(
        "AKUDENTAL: akudental_instances.json, teeth and restorations",
        keeps="overlap",
        loses="the folds",
        polygons="centres, with the boundary drawn",
        writes=False,
        public_set=True,
    ),
}
