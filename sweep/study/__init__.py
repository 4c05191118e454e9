"""The truth about a sweep: which jobs exist and how they ended, in Optuna's database."""
