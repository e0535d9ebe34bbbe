"""A small shop: items in Redis, served over HTTP."""
