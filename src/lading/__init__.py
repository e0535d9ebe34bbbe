"""Lading: a bill of lading for every container."""
