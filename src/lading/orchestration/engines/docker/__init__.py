"""The Docker Engine: find it, install it, start a private one, and drive it."""
