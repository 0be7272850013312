"""Prompt encoder and mask decoder with the HQ token."""
