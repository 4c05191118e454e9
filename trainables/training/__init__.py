"""Optimizers and learning-rate schedules shared by the methods."""
