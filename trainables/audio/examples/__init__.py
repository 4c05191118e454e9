"""Training and evaluation examples drawn from a corpus, keyed by (seed, purpose, step)."""
