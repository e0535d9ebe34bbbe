"""Carry plans out: health-gated, rolled back when the new version does not become healthy, repeatable after a kill."""
