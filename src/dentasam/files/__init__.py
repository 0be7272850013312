"""Writing, locking and opening files safely, for every room."""
