"""The keys that the tokens of the token flow are signed with: one file below `keys`, the same on every host.

    rotate -> a new key in the file -> signs from its moment on -> the one before it still verifies for an hour

The file is a JWK set (RFC 7517) of ECDSA P-256 keys, each with the moment from which it signs (`from`, seconds since
1970). A rotation with some minutes of delay leaves time to copy the file to the other hosts before anything is signed
with the new key. Processes notice a new file within a second.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from lading.kernel.clock import Clock, SystemClock
from lading.supply_chain.registry.errors import TokenKeysUnusable

KEYS_NAME: Final = "token-keys.json"
CURVE: Final = "P-256"
_LOOK_SECONDS: Final = 1.0
_MOST_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key pair, and from when on it signs (seconds since 1970)."""

    id: str
    since: int
    key: ECKey


class TokenKeys:
    """The keys in a directory, to be read. May be used from several threads.

    Every method raises TokenKeysUnusable: the file is not there, others can read it, or it holds no keys.
    """

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self._path = directory / KEYS_NAME
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._keys: tuple[TokenKey, ...] = ()
        self._seen: tuple[int, int, int] | None = None
        self._looked = float("-inf")

    def signing(self) -> TokenKey:
        """The key that signs now: the youngest whose moment has come."""
        now = self._clock.now().timestamp()
        keys = self._current()
        return next((one for one in reversed(keys) if one.since <= now), keys[0])

    def named(self, identity: str) -> TokenKey | None:
        """The key with this id, whether it signs already or did so within the last hour."""
        return next((one for one in self._current() if one.id == identity), None)

    def _current(self, *, at_once: bool = False) -> tuple[TokenKey, ...]:
        if not at_once and self._keys and self._clock.monotonic() < self._looked + _LOOK_SECONDS:
            return self._keys
        with self._lock:
            try:
                self._look()
            except OSError as error:
                raise self._unusable(f"cannot be read: {error.strerror}") from error
            self._looked = self._clock.monotonic()
            return self._keys

    def _look(self) -> None:
        if not self._path.exists():
            self._absent()
        with self._path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_mode & 0o077:
                raise self._unusable("can be read by others", f"Run: chmod 600 {self._path}")
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._keys = self._read(file.read(_MOST_BYTES + 1))
                self._seen = seen

    def _read(self, content: bytes) -> tuple[TokenKey, ...]:
        try:
            keys = [
                TokenKey(str(one["kid"]), int(one.pop("from")), ECKey.import_key(one))
                for one in msgspec.json.decode(content)["keys"]
            ]
        except (msgspec.MsgspecError, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._unusable("is damaged", "Remove it to have another made; tokens of some minutes end.") from error
        if not keys or not all(one.key.curve_name == CURVE and one.key.is_private for one in keys):
            raise self._unusable("holds no private P-256 key", "Remove it to have another made.")
        return tuple(sorted(keys, key=lambda one: one.since))

    def _absent(self) -> None:
        raise self._unusable("is not there", "Start Lading on the host that makes it, or copy its keys directory here.")

    def _unusable(self, what: str, remedy: str = "Check the data directory.") -> TokenKeysUnusable:
        return TokenKeysUnusable(f"The file of token keys {self._path} {what}.", remedy=remedy)
