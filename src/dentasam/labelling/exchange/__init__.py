"""What comes into a workspace and what leaves it."""
