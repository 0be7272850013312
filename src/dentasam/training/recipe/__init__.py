"""What a run is asked to do: the recipe's settings, the file they are read from, and their meaning for each step."""
