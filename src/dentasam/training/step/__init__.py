"""One training step: all objects of an image, all clicks, one encoder backward."""
