"""Reading PNG, JPEG and TIFF."""
