"""Pre-training of tiny bodies on speech, by each upstream's own objective."""
