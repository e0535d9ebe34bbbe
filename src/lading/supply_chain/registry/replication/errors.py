"""What can go wrong between regions."""

from __future__ import annotations

from lading.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from lading.supply_chain.registry.errors import RegistryError


class ReplicationError(RegistryError):
    """The root of the errors of replication."""

    code = "replication"


class TargetUnknown(ReplicationError, NotFound):
    """There is no such target."""


class TargetExists(ReplicationError, Conflict):
    """There is such a target already, or it is this region itself."""


class TargetInvalid(ReplicationError, InvalidInput):
    """A target, a pattern or a change does not have the form it must have."""


class RegionUnknown(ReplicationError, Forbidden):
    """Nothing is taken over from that region."""


class SignatureWrong(ReplicationError, Forbidden):
    """What a region says is not signed with the key that was accepted for it, or is meant for somebody else."""


class TargetFailed(ReplicationError, Unavailable):
    """A target does not answer, or answers what it should not."""
