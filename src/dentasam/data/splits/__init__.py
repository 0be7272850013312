"""Splitting: `patients` says which images stay together, `dealing` deals them out, `split` writes the parts."""
