"""The half of the token keys that writes: made at the first use, and rotated. The pull endpoint loads none of this."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from joserfc.jwk import ECKey

from lading.state.secret_files import create_once, put
from lading.supply_chain.registry.token_keys import CURVE, TokenKey, TokenKeys

_KEPT_SECONDS: Final = 3_600
_MOST_KEYS: Final = 32


class MadeTokenKeys(TokenKeys):
    """The keys in a directory, made when there are none."""

    def rotate(self, after: timedelta = timedelta(0)) -> TokenKey:
        """Make a key that signs from a moment on; returns it. Keys that signed nothing valid are dropped."""
        keys = self._current(at_once=True)
        now = int(self._clock.now().timestamp())
        made = _generate(now + int(after.total_seconds()))
        kept = [one for one in keys if not _is_over(one, keys, now)][-_MOST_KEYS + 1 :]
        try:
            put(self._path, _written([*kept, made]))
        except OSError as error:
            raise self._unusable(f"cannot be replaced: {error.strerror}") from error
        self._current(at_once=True)
        return made

    def _absent(self) -> None:
        try:
            create_once(self._path, _written([_generate(int(self._clock.now().timestamp()))]))
        except OSError as error:
            raise self._unusable(f"cannot be made: {error.strerror}") from error


def _generate(since: int) -> TokenKey:
    identity = secrets.token_hex(8)
    return TokenKey(identity, since, ECKey.generate_key(CURVE, {"kid": identity, "alg": "ES256", "use": "sig"}))


def _written(keys: Sequence[TokenKey]) -> bytes:
    return msgspec.json.encode({"keys": [_jwk(one) for one in keys]})


def _jwk(key: TokenKey) -> dict[str, Any]:
    return {**key.key.as_dict(private=True), "from": key.since}


def _is_over(key: TokenKey, keys: Sequence[TokenKey], now: int) -> bool:
    """Whether a younger key has signed for so long that nothing of this one is valid any more."""
    return any(key.since < one.since <= now - _KEPT_SECONDS for one in keys)
