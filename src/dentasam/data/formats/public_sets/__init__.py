"""Published datasets of panoramic radiographs with layouts of their own: readers, one file for each."""
