"""What `benchmarks/kills.py` kills, and what must hold after it: a file for each kind of work."""
