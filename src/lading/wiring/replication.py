"""Copies of the registry in other regions: their parts, and what other rooms lend them."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from lading.facts.follower import follow
from lading.identity import Identity
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict
from lading.settings import Address
from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import PublicKey
from lading.supply_chain.registry.replication.changes import MOST_BODY, Description, Outcome, opened
from lading.supply_chain.registry.replication.errors import TargetExists, TargetInvalid
from lading.supply_chain.registry.replication.link_http import HttpRegionLink
from lading.supply_chain.registry.replication.pace import Pace
from lading.supply_chain.registry.replication.planning import Lane, Planner
from lading.supply_chain.registry.replication.receiving import Receiver
from lading.supply_chain.registry.replication.regions import Regions
from lading.supply_chain.registry.replication.registers import Registers
from lading.supply_chain.registry.replication.remote import PushedTo
from lading.supply_chain.registry.replication.replicator import Replicator
from lading.supply_chain.registry.replication.sending import Sender
from lading.supply_chain.registry.replication.snapshot import Snapshots
from lading.supply_chain.registry.replication.status import Standings
from lading.supply_chain.registry.replication.targets import Order, Target, TargetKind, Targets
from lading.supply_chain.registry.replication.transfer import Transfer
from lading.supply_chain.registry.replication.way import Way
from lading.supply_chain.registry.replication.way_region import RegionWay
from lading.supply_chain.registry.replication.way_registry import RegistryWay

if TYPE_CHECKING:
    from lading.wiring import Wiring

_REGION_USER: Final = "region"

__all__ = ["MOST_BODY", "Replication"]


class IdentityTeams:
    """Identity as the receiver's Teams."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def ensure(self, team: str, *, actor: str) -> None:
        if team in self._identity.teams():
            return
        try:
            self._identity.create_team(team, actor=actor)
        except Conflict:
            return


def verify(pem: str, message: bytes, signature: bytes) -> bool:
    """Whether the key behind `pem` signed `message`; a key that cannot be read signed nothing."""
    try:
        return PublicKey.from_pem(pem).verify(message, signature)
    except KeyUnusable:
        return False


class Replication:
    """The parts, made on demand."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    @cached_property
    def registers(self) -> Registers:
        return Registers(self._wiring.database, self._wiring.ledger, self._wiring.settings.region)

    @cached_property
    def regions(self) -> Regions:
        return Regions(self._wiring.database, self._wiring.ledger, self._wiring.clock)

    @cached_property
    def targets(self) -> Targets:
        parts = self._wiring
        return Targets(parts.database, parts.ledger, parts.sealer, parts.clock)

    @cached_property
    def standings(self) -> Standings:
        return Standings(self._wiring.database, self._wiring.ledger, self.targets, self._wiring.clock)

    @cached_property
    def receiver(self) -> Receiver:
        parts = self._wiring
        return Receiver(
            database=parts.database,
            ledger=parts.ledger,
            registry=parts.registry,
            states=parts.states,
            registers=self.registers,
            teams=IdentityTeams(parts.identity),
            clock=parts.clock,
        )

    def trusted(self) -> list[PublicKey]:
        """The keys of the regions whose approvals count here."""
        return [PublicKey.from_pem(region.key) for region in self.regions.all() if region.approvals]

    def replicator(self) -> Replicator:
        """The loop that keeps targets close behind."""
        parts = self._wiring
        return Replicator(
            database=parts.database,
            ledger=parts.ledger,
            targets=self.targets,
            registers=self.registers,
            make_sender=self.sender,
            poll_seconds=parts.settings.poll_seconds,
        )

    # Between regions

    def describe(self) -> Description:
        """How this region introduces itself."""
        parts = self._wiring
        scheme = "https" if parts.settings.tls else "http"
        return Description(
            region=parts.settings.region,
            version=parts.version,
            key_id=parts.key.key_id,
            key=parts.key.public_pem(),
            push=f"{scheme}://{parts.settings.push_addr}",
        )

    def accept(
        self, name: str, key: str, *, patterns: tuple[str, ...], approvals: bool, deletions: bool, actor: str
    ) -> str:
        """Take over what a region signs with `key` (PEM); returns the token for it, which is kept nowhere else.

        Raises:
            TargetExists: it has the name of this region.
            KeyUnusable: that is no public key.
        """
        if name == self._wiring.settings.region:
            raise _same_name(name)
        public = PublicKey.from_pem(key)
        issued = self._wiring.identity.admit_region(name, actor=actor)
        self.regions.accept(
            name,
            key_id=public.key_id,
            key=public.public_pem(),
            patterns=patterns,
            approvals=approvals,
            deletions=deletions,
            actor=actor,
        )
        return issued.text

    def dismiss(self, name: str, *, actor: str) -> None:
        """Take nothing over from a region any more; raises RegionUnknown."""
        self.regions.dismiss(name, actor=actor)
        self._wiring.identity.dismiss_region(name, actor=actor)

    def receive(self, sender: str, body: bytes) -> list[Outcome]:
        """Take over what `sender` signed.

        Raises:
            RegionUnknown, SignatureWrong, TargetInvalid: nothing of it is taken over.
        """
        region = self.regions.get(sender)
        batch = opened(body, sender=sender, to=self._wiring.settings.region, pem=region.key, verify=verify)
        outcomes, revoked = self.receiver.apply(region, batch.changes)
        for digest in revoked:
            self._carry_out(digest)
        return outcomes

    def _carry_out(self, digest: Digest) -> None:
        """Name those who run an image that was revoked elsewhere."""
        state = self._wiring.states.state(digest)
        if state is not None:
            self._wiring.revocation.revoke(digest, who=state.who, why=state.why, replaced_by=state.replaced_by)

    # Targets

    def add(self, order: Order, secret: str, *, actor: str) -> Target:
        """Copy the registry to a target from now on, once it answered.

        Raises:
            TargetInvalid, TargetExists: something about the order is wrong.
            TargetFailed, RemoteFailed, RemoteDenied: the target does not answer, or does not let us in.
        """
        settings = self._wiring.settings
        if order.kind is TargetKind.LADING:
            link = self._link(order.url, secret, order.name)
            try:
                found = link.describe()
            finally:
                link.close()
            if found.region == settings.region:
                raise _same_name(found.region)
            if order.name and found.region != order.name:
                raise TargetInvalid(f"The region there is {found.region}.", remedy=f"Add it as {found.region}.")
            push = order.push or _reachable(found.push, order.url)
            order = msgspec.structs.replace(order, name=found.region, push=push, user=_REGION_USER)
        return self.targets.add(order, secret, actor=actor)

    def sender(self, target: Target, stop: threading.Event) -> Sender:
        """What sends to a target."""
        parts = self._wiring
        ways = {lane: self._way(target, lane, stop) for lane in Lane}
        return Sender(target, ways, database=parts.database, ledger=parts.ledger, clock=parts.clock)

    def plan(self, target: Target) -> None:
        """Note down what a target lacks, now."""
        self.registers.follow()
        follow(self._wiring.database, self._wiring.ledger, Planner(target))

    def _way(self, target: Target, lane: Lane, stop: threading.Event) -> Way:
        """Each lane has connections of its own. What is urgent is small, and no rate holds it back."""
        parts, secret = self._wiring, self.targets.secret(target.name)
        is_region = target.kind is TargetKind.LADING
        remote = PushedTo(target.push if is_region else target.url, target.user, secret)
        transfer = Transfer(
            target=target.name,
            source=parts.registry,
            remote=remote,
            database=parts.database,
            sealer=parts.sealer,
            pace=Pace(target.rate if lane is Lane.BULK else 0, parts.clock),
            clock=parts.clock,
            stop=stop,
        )
        if is_region:
            link = self._link(target.url, secret, target.name)
            snapshots = Snapshots(parts.database, parts.registry, self.registers)
            return RegionWay(target, link=link, snapshots=snapshots, transfer=transfer, serving=parts.serving)
        return RegistryWay(
            target,
            remote=remote,
            transfer=transfer,
            registry=parts.registry,
            states=parts.states,
            serving=parts.serving,
            database=parts.database,
        )

    def _link(self, url: str, token: str, to: str) -> HttpRegionLink:
        parts = self._wiring
        return HttpRegionLink(url, token, sender=parts.settings.region, to=to, key=parts.key)


def _same_name(name: str) -> TargetExists:
    return TargetExists(
        f"Both regions are called {name}.", remedy="Give each a name of its own with LADING_REGION, and restart it."
    )


def _reachable(push: str, url: str) -> str:
    """The push endpoint of a region; one that names itself by all its addresses is where its API is."""
    scheme, _, rest = push.partition("://")
    address = Address.parse(rest)
    host = url.partition("://")[2].rpartition(":")[0] or url.partition("://")[2]
    named = address.host not in ("0.0.0.0", "::")  # noqa: S104 - a comparison
    return f"{scheme}://{rest if named else f'{host}:{address.port}'}"
