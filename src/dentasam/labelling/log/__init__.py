"""The append-only log of operations on each case, the state that it adds up to, and the database that stores both."""
