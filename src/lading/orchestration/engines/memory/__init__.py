"""An engine in memory: deterministic, for plans, rehearsals and tests."""
