"""The labelling tool: cases and revisions in a database, embeddings on disk, inference, and the HTTP API."""
