"""How far the tree is, in a file beside it: what the pull endpoint reads before it lets a static server answer.

A tree that fell behind may hold what was revoked since. Its keeper says ten times a second that it is up to date; when
it stops saying so, whatever the reason, the tree counts no more and pulls go through the pull endpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from lading.kernel.clock import Clock, SystemClock

BELIEVED_SECONDS: Final = 1.0
FILE: Final = ".beat"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """How far a tree is.

    `seq` and `hash` name the last entry of the ledger that it shows, `at` is the monotonic clock of the boot `boot`,
    `moment` the time by which approvals were looked at, `behind` what is left to take in, and `compared` when all of it
    was last compared with the database; empty while that was not finished.
    """

    seq: int = 0
    hash: str = ""
    boot: str = ""
    at: float = 0.0
    moment: str = ""
    behind: int = 0
    compared: str = ""
    pid: int = 0


def boot() -> str:
    """What distinguishes this start of the machine from others: the monotonic clock counts from there."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class BeatReader:
    """Reads how far a tree is."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self._path = root / FILE
        self._clock = clock or SystemClock()
        self._boot = boot()

    def read(self) -> Beat | None:
        """The last word of the keeper; None when there is none, or it cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Beat)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def age(self, beat: Beat) -> float | None:
        """Seconds since the word was given; None when that is not known, as after a start of the machine."""
        age = self._clock.monotonic() - beat.at
        return age if beat.boot == self._boot and age >= 0 else None

    def is_fresh(self) -> bool:
        """Whether the tree shows what counts now, as far as a second ago."""
        beat = self.read()
        if beat is None or beat.behind or not beat.compared:
            return False
        age = self.age(beat)
        return age is not None and age < BELIEVED_SECONDS
