"""The registry's two endpoints over HTTP: push (authenticated, read and write) and pull (read-only)."""
