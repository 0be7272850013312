"""The import of a dataset of any format: a draft that can be continued, and what becomes of it."""
