"""The statistics: from rows of paired scores to a winner or a tie. Knows nothing of plans, Ray or files."""
