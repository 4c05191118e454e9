"""Methods by name, and the rules of their configuration fields."""
