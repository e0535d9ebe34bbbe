"""Questions about what was kept, also of containers that are gone."""
