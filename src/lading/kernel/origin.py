"""Where the call that is being answered comes from, for those who write down who did what.

An entry point says it once for each request; whoever is called on its behalf, in the same thread or task, may ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Origin:
    """The door that a call came in by (`push`, `pull`, `api`), the address it came from, and whether it was stated that
    it was refused."""

    door: str = ""
    address: str = ""
    stated: bool = False


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


def origin() -> Origin:
    """Where the present call comes from; empty for what Lading does by itself."""
    return _origin.get() or Origin()


@contextmanager
def coming_from(door: str, address: str) -> Iterator[Origin]:
    """Say so for what is called within."""
    here = Origin(door, address)
    token = _origin.set(here)
    try:
        yield here
    finally:
        _origin.reset(token)
