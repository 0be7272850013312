"""Compressed pixel data: their headers, what is decoded by which library, run lengths."""
