"""How masks and documents are sent between page and server, and the limits of their fields."""
