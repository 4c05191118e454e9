"""Metrics that compare what a speech model of others makes of an estimate and of its reference."""
