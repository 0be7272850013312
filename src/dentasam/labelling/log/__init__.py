"""The append-only log of operations, what it adds up to, and the database that keeps it."""
