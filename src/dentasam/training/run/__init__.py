"""The training run: loop, optimiser, validation, checkpoints, several processes."""
