"""The built-in demo corpus, synthesised on the spot."""
