"""Reading JSON and YAML from anywhere, bounded in bytes, depth, values and digits, with the place of each error."""
