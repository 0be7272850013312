"""The HTTP API's routes, a file per subject. Each offers a `router`."""
