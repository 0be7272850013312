"""What an import reads from: folders, archives, and the images in them."""
