"""Proposals: teeth that the model found, outlined and numbered before anybody clicked."""
