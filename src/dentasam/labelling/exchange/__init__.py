"""Imports into a workspace and exports from it."""
