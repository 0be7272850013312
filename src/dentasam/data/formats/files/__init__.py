"""Files that several formats share: folders of images, mask PNGs, and the samples in them."""
