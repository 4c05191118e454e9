"""Which values a search trial tries, and when it is stopped early."""
