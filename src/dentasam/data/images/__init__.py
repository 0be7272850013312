"""Reading image files: PNG, JPEG, TIFF and DICOM."""
