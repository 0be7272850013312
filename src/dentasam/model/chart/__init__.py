"""The chart of an image: every tooth found from the image embedding (the finder) and numbered (the numberer)."""
