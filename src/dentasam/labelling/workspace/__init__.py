"""The folder of a labelling project: its images, label schema and lock, and how an image is shown."""
