"""DICOM segmentations: their codes, their frames, the images that they refer to, and how one is made."""
