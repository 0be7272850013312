"""Checkpoints: models that have a name, reading and loading files of three layouts, saving."""
