"""What is made of a check: a page, JSON, and tags in the datasets."""
