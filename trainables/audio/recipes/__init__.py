"""How each kind of source becomes a corpus."""
