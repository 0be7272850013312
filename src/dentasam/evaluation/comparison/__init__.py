"""Several runs against each other: the statistics, and the files that show them."""
