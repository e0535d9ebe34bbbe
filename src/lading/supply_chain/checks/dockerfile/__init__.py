"""Dockerfiles: `file` reads one, `shell` the commands of its steps; the other modules hold the rules, by topic."""
