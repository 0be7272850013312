"""What the pixels of radiographs show, each by itself and beside the others."""
