"""Kubernetes manifests: `objects` reads them; the other modules hold the rules, by topic."""
