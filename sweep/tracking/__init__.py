"""The sweep in MLflow: a view that can be rebuilt."""
