"""One training step: all objects of an image, all clicks, one backward pass through the encoder."""
