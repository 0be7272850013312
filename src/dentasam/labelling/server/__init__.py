"""Starting the labelling server."""
