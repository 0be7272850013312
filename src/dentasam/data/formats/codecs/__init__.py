"""How single tools code masks, shapes and names in their files."""
