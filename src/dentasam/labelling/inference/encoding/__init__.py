"""The embeddings of the cases, made ahead of the clicks, on disk and in memory; and the pixels of cases in use."""
