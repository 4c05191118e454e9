"""Is the question meaningful at this size? Transfer gap and mismatch, measured as stages."""
