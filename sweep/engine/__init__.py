"""Runs the jobs of a plan: the dispatcher, Ray Tune, stages and scoring."""
