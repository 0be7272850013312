"""Files of clicks and boxes for many images: the own format, COCO files, and what detectors write."""
