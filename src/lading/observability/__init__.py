"""Logs and metrics that outlive the container: collect, store, query."""
