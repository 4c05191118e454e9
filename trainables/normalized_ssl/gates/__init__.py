"""Does the question mean anything at this size? Transfer gap and mismatch, measured as stages."""
