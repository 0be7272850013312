"""What the routes share: the parts of the server, documents, uploads, and bounds on what is done at once."""
