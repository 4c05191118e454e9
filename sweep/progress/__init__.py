"""How far a running sweep is, on the terminal and by notification."""
