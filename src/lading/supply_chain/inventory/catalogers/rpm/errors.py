"""How reading an rpm database fails: with a reason that becomes a gap. What was read before stands."""

from __future__ import annotations


class DatabaseUnreadable(Exception):
    """The database, or the rest of it, cannot be read; the message says why."""
