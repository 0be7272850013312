"""DICOM radiographs: `detect` tells them by their bytes, `read` makes one grayscale array of them."""
