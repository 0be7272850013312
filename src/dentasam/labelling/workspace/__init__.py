"""The folder that a labelling server keeps: images, labels, locks, and what the page shows of an image."""
