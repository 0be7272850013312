"""Weights in files: the official ones, transformers' and our own."""
