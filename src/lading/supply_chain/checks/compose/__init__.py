"""Compose files: `file` reads one; the other modules hold the rules about its services, by topic."""
