"""From stored values to a gray picture: colours, lookup tables, the window."""
