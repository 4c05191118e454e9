"""One sweep from plan to answer."""
