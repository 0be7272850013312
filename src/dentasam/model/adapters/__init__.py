"""LoRA adapters: which layers they train, saving, loading, switching between them and merging one."""
