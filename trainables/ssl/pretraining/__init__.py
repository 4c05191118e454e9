"""Pre-training of tiny bodies on clean speech, by each upstream's own objective."""
