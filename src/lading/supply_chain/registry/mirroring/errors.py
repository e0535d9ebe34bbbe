"""What can go wrong with other registries that are mirrored."""

from __future__ import annotations

from datetime import datetime

from lading.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from lading.supply_chain.registry.errors import RegistryError, RemoteFailed


class MirrorError(RegistryError):
    """The root of the errors of mirroring."""

    code = "mirror"


class UpstreamUnknown(MirrorError, NotFound):
    """There is no such upstream."""


class UpstreamExists(MirrorError, Conflict):
    """There is such an upstream already, or another has its prefix."""


class UpstreamInvalid(MirrorError, InvalidInput):
    """An upstream, a pattern or a rule of rewriting does not have the form it must have."""


class NotMirrored(MirrorError, Forbidden):
    """What is asked for is there, perhaps, but the lists of the upstream do not let it in."""

    oci_code = "DENIED"


class Throttled(RemoteFailed):
    """An upstream wants to be asked later; `until` is when, where it said so."""

    oci_code = "TOOMANYREQUESTS"

    def __init__(self, what: str, *, until: datetime | None = None, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.until = until


class TooSlow(RemoteFailed):
    """An upstream sends so slowly that it is as good as no answer."""


class Stopping(MirrorError, Unavailable):
    """This process ends; another one goes on with what it did."""


class NotYet(RemoteFailed):
    """What is asked for is not here, and cannot be had now. `seconds` says when to ask again."""

    oci_code = "TOOMANYREQUESTS"

    def __init__(self, what: str, *, seconds: int, throttled: bool = False, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.seconds = seconds
        self.throttled = throttled
