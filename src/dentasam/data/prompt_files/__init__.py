"""Files of clicks and boxes for many images: this program's format, COCO files, and what detectors write."""
