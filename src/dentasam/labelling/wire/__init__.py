"""What travels between page and server, and its limits."""
