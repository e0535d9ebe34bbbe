"""The one way in which reading a version fails."""

from __future__ import annotations


class VersionInvalid(ValueError):
    """A text is not a version of its ecosystem; caught by the matcher, which then says so in the finding."""
