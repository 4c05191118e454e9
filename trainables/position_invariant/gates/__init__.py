"""Is there a position component to remove at all? Measured on clean speech, as a stage."""
