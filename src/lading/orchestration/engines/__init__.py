"""Container engines: what Lading asks of one, and one adapter for each kind."""
