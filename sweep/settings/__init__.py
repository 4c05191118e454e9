"""From flags and environment to a plan: every setting is checked here, before anything starts."""
