"""`lading demo`: the whole story on this machine, on a real application, in numbered steps with timings."""

from lading.entrypoints.cli.demo.command import register

__all__ = ["register"]
