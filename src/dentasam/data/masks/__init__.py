"""Masks of objects: run-length codes, and the polygons and codes that COCO allows."""
