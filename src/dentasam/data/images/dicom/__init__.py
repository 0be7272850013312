"""DICOM radiographs: `detect` recognises them, `read` makes a grayscale array."""
