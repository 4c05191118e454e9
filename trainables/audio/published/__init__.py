"""Is a prepared corpus the one that papers report on? Its unprocessed input against the published figures."""
