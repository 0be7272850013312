"""What masks, boxes and numbers show, in one image and beside the others."""
