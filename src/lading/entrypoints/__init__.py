"""The edges: command line, API, console, registry endpoints, worker."""
