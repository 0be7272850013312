"""From a dataset to the images, masks and embeddings of a training step."""
