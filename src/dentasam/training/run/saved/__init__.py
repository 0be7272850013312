"""What a training run keeps on disk, and from which --resume goes on."""
