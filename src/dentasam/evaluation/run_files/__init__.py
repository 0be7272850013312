"""Reading the files of a run folder that somebody else may have written: bounded, and checked value by value."""
