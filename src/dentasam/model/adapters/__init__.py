"""LoRA: which layers, how it is saved, loaded and merged."""
