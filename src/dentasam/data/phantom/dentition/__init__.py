"""Which teeth a phantom has and where they stand."""
