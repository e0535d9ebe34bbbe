"""Passwords with Argon2id (RFC 9106), and a bound on what checking them may cost.

A check takes memory and time on purpose. So that nobody turns this against the server, only a few run at once and the
rest wait shortly, and failed attempts are counted before a check is even begun (see `attempts`).
"""

from __future__ import annotations

import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lading.identity.errors import InvalidName, TooManyAttempts

LEAST: Final = 12
MOST: Final = 1024
_AT_ONCE: Final = 2
_PATIENCE_SECONDS: Final = 5.0


class Passwords:
    """Hashes and checks. The cost is RFC 9106's second recommendation (64 MiB, 3 passes) unless told otherwise."""

    def __init__(self, *, time_cost: int = 3, memory_kib: int = 65_536, parallelism: int = 4) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        # Checked in place of a password nobody has, so that unknown names take as long as known ones.
        self._nobody = self._hasher.hash("nobody")

    def hash(self, password: str) -> str:
        """The hash to keep; raises InvalidName for a password that is too short or too long."""
        if not LEAST <= len(password) <= MOST:
            raise InvalidName(
                f"A password of {len(password)} characters is not accepted.",
                remedy=f"Use {LEAST} to {MOST} characters; several words are better than signs.",
            )
        return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether `password` is the one `kept` was made of. None takes as long and is False.

        Raises:
            TooManyAttempts: too many checks are running.
        """
        if len(password) > MOST:
            return False
        if not self._slots.acquire(timeout=_PATIENCE_SECONDS):
            raise TooManyAttempts(_PATIENCE_SECONDS)
        try:
            self._hasher.verify(kept or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        else:
            return kept is not None
        finally:
            self._slots.release()
