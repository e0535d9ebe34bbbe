"""The only place that builds adapters and hands them to domains.

Parts are made when they are first asked for, so that each process only has what its role needs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

from lading.bill.assemble import Bills
from lading.bill.follower import BillFollower
from lading.continuity.backups import Backups
from lading.continuity.records import Records
from lading.continuity.schedule import Schedule
from lading.facts import Follower, Ledger
from lading.facts.checkpoints import Checkpoints
from lading.identity import Identity, Operation
from lading.identity.attempts import Attempts
from lading.identity.oidc.login import OidcLogins
from lading.jobs import Jobs
from lading.kernel.clock import SystemClock
from lading.lifecycle.admit import Admission
from lading.lifecycle.bases import Bases
from lading.lifecycle.document import Documents
from lading.lifecycle.excepted import ExceptionList
from lading.lifecycle.expire import Expiry
from lading.lifecycle.findings import FindingLists
from lading.lifecycle.flaws import FlawPages
from lading.lifecycle.known import KnownImages
from lading.lifecycle.patch import Patches
from lading.lifecycle.relate import Relating
from lading.lifecycle.report import Testimony
from lading.lifecycle.reread import Rereading
from lading.lifecycle.resign import Resigning
from lading.lifecycle.revoke import Revocation
from lading.lifecycle.ship import Ships, Site
from lading.lifecycle.steps import BuildSteps
from lading.lifecycle.where import Where
from lading.observability.collect.collector import Collector
from lading.observability.query.telemetry import Telemetry
from lading.observability.store.parquet import ParquetTelemetryReader
from lading.orchestration.engines.docker.engine import DockerEngine
from lading.orchestration.errors import EngineUnavailable
from lading.orchestration.rollout.deployments import Deployments
from lading.policy.decide import Policy
from lading.policy.exceptions import Exceptions
from lading.policy.explain import Explainer
from lading.policy.pack import Pack, load_pack
from lading.policy.replay import Replay
from lading.runtime_security.judge.incidents import Incidents
from lading.runtime_security.sense.watch import DriftWatch
from lading.settings import Settings
from lading.state import Database
from lading.state.sealing import Sealer, open_sealer
from lading.strategy.evidence.follower import EvidenceFollower
from lading.supply_chain.advisories.bundle import Bundles
from lading.supply_chain.advisories.bundled import load_snapshot
from lading.supply_chain.advisories.feeds import Advisories
from lading.supply_chain.advisories.sources import read_stale_days
from lading.supply_chain.advisories.updating import Updates
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.keyring.keyring import Keyring
from lading.supply_chain.attest.keys import Signer
from lading.supply_chain.attest.signers.opening import open_signer
from lading.supply_chain.build import trust
from lading.supply_chain.build.builder import Credentials
from lading.supply_chain.build.buildkit import BuildKit
from lading.supply_chain.build.mmdebstrap import DebianBases
from lading.supply_chain.build.sources import Sources
from lading.supply_chain.checks.checking import Checking
from lading.supply_chain.checks.gathering import checks_with
from lading.supply_chain.foreign.reports import Reports
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.lineage.follower import TagFollower
from lading.supply_chain.lineage.lineages import Lineages
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.match.order import EcosystemOrder
from lading.supply_chain.match.standing.asking import Asking
from lading.supply_chain.match.standing.keeping import Standing, StandingFollower
from lading.supply_chain.match.vexing import Vex
from lading.supply_chain.match.whereabouts import Whereabouts
from lading.supply_chain.registry.holding import Holds
from lading.supply_chain.registry.listing import Listings
from lading.supply_chain.registry.registry import Registry, Storage
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates
from lading.supply_chain.registry.token_keys_made import MadeTokenKeys
from lading.supply_chain.registry.tokens import AccessTokens
from lading.supply_chain.registry.visibility import Visibilities
from lading.wiring.access import IdentityAuthenticator, open_tokens
from lading.wiring.adapters import (
    DeclaredWorkloads,
    InventoryBillOfMaterials,
    RegistryBeginnings,
    RegistryHomes,
    RegistryLayers,
    RegistryOwners,
)
from lading.wiring.attesting import open_attestations
from lading.wiring.blobs import open_blobs
from lading.wiring.collecting import Collecting
from lading.wiring.continuity import open_backups
from lading.wiring.copies import Copies
from lading.wiring.details import ImageDetails, WorkloadDetails
from lading.wiring.drift import open_drift_watch
from lading.wiring.engine import ingress_of
from lading.wiring.feeds import open_updates, trusted_keys
from lading.wiring.judging import open_admission, open_documents
from lading.wiring.logins import open_logins
from lading.wiring.mirroring import Mirrors
from lading.wiring.observing import open_collector
from lading.wiring.pulling import spool_directory
from lading.wiring.replication import Replication
from lading.wiring.tree import Tree

Say = Callable[[str], None]
_OWN_TOKENS_LAST = timedelta(hours=2)
# Where nobody answers: reading what was deployed needs no engine, and using one says that there is none.
NO_ENGINE = "unix:///nonexistent/docker.sock"


class Wiring:
    """Every part of one Lading, made on demand."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.version = version("lading")

    def close(self) -> None:
        """Give back what was opened."""
        if "mirrors" in self.__dict__:
            self.mirrors.close()
        if "database" in self.__dict__:
            self.database.close()

    # State, ledger, identity, policy

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.clock)

    @cached_property
    def key(self) -> Signer:
        settings = self.settings
        return open_signer(settings.signing_key, settings.data / "keys", settings.signing_password_file)

    @cached_property
    def sealer(self) -> Sealer:
        return open_sealer(self.settings.data / "keys")

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring(self.database, self.ledger, lambda: self.key.key_id, self.clock)

    @cached_property
    def resigning(self) -> Resigning:
        return Resigning(self.keyring, self.attestations, self.admission)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.database, self.ledger, self.key, self.settings.data / "checkpoints.jsonl")

    @cached_property
    def identity(self) -> Identity:
        return Identity(self.database, self.ledger, self.clock)

    @cached_property
    def logins(self) -> OidcLogins | None:
        return open_logins(self.settings, self.identity, self.sealer, self.clock)

    @cached_property
    def logins_begun(self) -> Attempts:
        return Attempts(self.clock)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.database, self.clock)

    @cached_property
    def pack(self) -> Pack:
        return load_pack(self.settings.policy)

    @cached_property
    def policy(self) -> Policy:
        return Policy(self.database, self.ledger, self.pack, self.clock)

    @cached_property
    def replay(self) -> Replay:
        return Replay(self.database)

    @cached_property
    def explainer(self) -> Explainer:
        return Explainer(self.policy, self.replay, EcosystemOrder())

    @cached_property
    def exceptions(self) -> Exceptions:
        return Exceptions(self.database, self.ledger, self.policy)

    # Supply chain

    @cached_property
    def storage(self) -> Storage:
        return open_blobs(self.settings, self.database)

    @cached_property
    def states(self) -> ImageStates:
        return ImageStates(self.database, self.ledger, self.clock)

    @cached_property
    def serving(self) -> Serving:
        return Serving(self.database, self.registry, self.states, self.settings.index_platforms)

    @cached_property
    def copies(self) -> Copies:
        return Copies(self)

    @cached_property
    def listings(self) -> Listings:
        return Listings(self.database, self.clock)

    @cached_property
    def holds(self) -> Holds:
        return Holds(self.database, self.ledger, self.clock)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.database, self.ledger, self.storage, self.states, self.clock)

    @cached_property
    def visibilities(self) -> Visibilities:
        return Visibilities(self.database, self.ledger)

    @cached_property
    def authenticator(self) -> IdentityAuthenticator:
        return IdentityAuthenticator(self.identity, anonymous=self.settings.anonymous_pull, tokens=self.tokens)

    @cached_property
    def token_keys(self) -> MadeTokenKeys:
        return MadeTokenKeys(self.settings.data / "keys", self.clock)

    @cached_property
    def tokens(self) -> AccessTokens:
        return open_tokens(self.settings, self.token_keys, self.clock)

    @cached_property
    def collecting(self) -> Collecting:
        return Collecting(self)

    @cached_property
    def tree(self) -> Tree | None:
        """The tree of pulls on this host; None where none is kept."""
        directory = self.settings.tree_directory
        return Tree(self, directory) if directory is not None else None

    @cached_property
    def replication(self) -> Replication:
        return Replication(self)

    @cached_property
    def mirrors(self) -> Mirrors:
        return Mirrors(self)

    @cached_property
    def owners(self) -> RegistryOwners:
        return RegistryOwners(self.registry)

    @cached_property
    def inventories(self) -> Inventories:
        return Inventories(self.database, self.ledger, RegistryLayers(self.registry), clock=self.clock)

    @cached_property
    def bill_of_materials(self) -> InventoryBillOfMaterials:
        return InventoryBillOfMaterials(self.inventories, self.registry)

    @cached_property
    def advisories(self) -> Advisories:
        days = read_stale_days(self.settings.advisory_stale_days)
        return Advisories(self.database, self.ledger, clock=self.clock, stale_days=days)

    @cached_property
    def updates(self) -> Updates:
        return open_updates(self.settings, self.advisories, self.clock)

    @cached_property
    def bundles(self) -> Bundles:
        trusted = partial(trusted_keys, self.settings.advisory_keys)
        return Bundles(self.database, self.advisories, self.key, trusted, clock=self.clock)

    @cached_property
    def findings(self) -> Findings:
        homes = RegistryHomes(self.registry)
        return Findings(self.database, self.ledger, self.advisories, homes=homes, clock=self.clock)

    @cached_property
    def standing(self) -> Standing:
        homes = RegistryHomes(self.registry)
        return Standing(self.database, homes=homes, owners=self.owners, runs=self.deployments, clock=self.clock)

    @cached_property
    def asking(self) -> Asking:
        return Asking(self.database, homes=RegistryHomes(self.registry), clock=self.clock)

    @cached_property
    def vex(self) -> Vex:
        homes = RegistryHomes(self.registry)
        return Vex(self.database, self.ledger, self.advisories, homes=homes, clock=self.clock)

    @cached_property
    def attestations(self) -> Attestations:
        return open_attestations(self)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.database, self.ledger, self.clock)

    @cached_property
    def checking(self) -> Checking:
        checks = checks_with(licences=self.settings.licences, support=self.settings.support)
        return Checking(self.inventories, self.registry, self.clock, checks=checks, bases=self.lineages)

    @cached_property
    def lineages(self) -> Lineages:
        return Lineages(self.database, RegistryBeginnings(self.registry), self.clock)

    @cached_property
    def relating(self) -> Relating:
        return Relating(self.database, self.inventories, self.lineages)

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.settings.data / "sources")

    def load_first_knowledge(self, say: Say) -> None:
        """Take the bundled advisories in, so that the first image is matched before any feed was fetched."""
        marker = self.settings.data / "run" / "bundled-advisories"
        if self.advisories.status() and marker.exists() and marker.read_text(encoding="ascii") == self.version:
            return
        say("taking in the bundled advisories")
        load_snapshot(self.advisories)
        marker.write_text(self.version, encoding="ascii")

    # Where containers run

    @cached_property
    def engine(self) -> DockerEngine:
        return DockerEngine(self.settings.engine or NO_ENGINE, self._pull_credentials)

    @cached_property
    def collector(self) -> Collector:
        return open_collector(self, self._engine_address(), self._telemetry)

    @cached_property
    def telemetry(self) -> Telemetry:
        return Telemetry(ParquetTelemetryReader(self._telemetry))

    @cached_property
    def deployments(self) -> Deployments:
        """Reads everywhere; only the worker deploys, because it has the collector that takes the last logs."""
        return Deployments(
            self.database,
            self.ledger,
            self.engine,
            ingress_of(self.settings),
            before_removal=self._drain,
            health_seconds=self.settings.rollout_seconds,
            clock=self.clock,
        )

    @cached_property
    def incidents(self) -> Incidents:
        return Incidents(self.database, self.ledger, self.clock)

    @cached_property
    def allowed(self) -> DeclaredWorkloads:
        return DeclaredWorkloads(self.deployments)

    def drift_watch(self) -> DriftWatch:
        """The senses and their judge, over the engine of this Lading."""
        return open_drift_watch(self, self._engine_address())

    # Lifecycle

    @cached_property
    def documents(self) -> Documents:
        return open_documents(self)

    @cached_property
    def admission(self) -> Admission:
        return open_admission(self)

    @cached_property
    def rereading(self) -> Rereading:
        return Rereading(self.inventories, self.admission)

    @cached_property
    def testimony(self) -> Testimony:
        return Testimony(
            reports=self.reports,
            attestations=self.attestations,
            admission=self.admission,
            states=self.states,
            relatives=self.registry,
        )

    @cached_property
    def expiry(self) -> Expiry:
        return Expiry(self.database, self.states, self.admission, self.clock)

    @cached_property
    def bases(self) -> Bases:
        return Bases(
            database=self.database,
            ledger=self.ledger,
            maker=DebianBases(self.settings.data / "bases"),
            registry=self.registry,
            admission=self.admission,
            explainer=self.explainer,
            mirror=self.mirrors.mirroring,
            pull=str(self.settings.pull_addr),
            version=self.version,
        )

    @cached_property
    def ships(self) -> Ships:
        return Ships(
            database=self.database,
            ledger=self.ledger,
            sources=self.sources,
            builder=BuildKit(self._engine_address()),
            bases=self.bases,
            steps=BuildSteps(self.registry, self.inventories),
            admission=self.admission,
            documents=self.documents,
            policy=self.policy,
            explainer=self.explainer,
            deployments=self.deployments,
            site=Site(
                push=str(self.settings.push_addr),
                pull=str(self.settings.pull_addr),
                credentials=self._builder_credentials,
                secrets=trust.secrets(self.settings.ca_file),
                environment=self.settings.environment,
            ),
            clock=self.clock,
        )

    @cached_property
    def patches(self) -> Patches:
        return Patches(
            database=self.database,
            ledger=self.ledger,
            findings=self.findings,
            registry=self.registry,
            deployments=self.deployments,
            sources=self.sources,
            ships=self.ships,
            bases=self.bases,
            is_known=lambda name: bool(self.advisories.named(name)),
            clock=self.clock,
        )

    @cached_property
    def revocation(self) -> Revocation:
        return Revocation(self.database, self.ledger, self.states, self.registry, self.deployments, self.clock)

    # Backups

    @cached_property
    def backups(self) -> Backups:
        return open_backups(self.settings, self.database, self.ledger, self.clock, self.version)

    @cached_property
    def backup_records(self) -> Records:
        return Records(self.database, self.ledger, self.clock)

    @cached_property
    def backup_schedule(self) -> Schedule:
        return Schedule(self.database, self.ledger, self.clock)

    # What is shown

    @cached_property
    def details(self) -> ImageDetails:
        return ImageDetails(
            self.registry,
            self.inventories,
            self.documents,
            self.attestations,
            self.policy,
            self.reports,
            self.advisories,
            self.lineages,
        )

    @cached_property
    def known_images(self) -> KnownImages:
        return KnownImages(
            registry=self.registry,
            inventories=self.inventories,
            documents=self.documents,
            advisories=self.advisories,
            policy=self.policy,
            clock=self.clock,
            version=self.version,
        )

    @cached_property
    def where(self) -> Where:
        homes = RegistryHomes(self.registry)
        return Where(
            whereabouts=Whereabouts(self.database, homes=homes, clock=self.clock),
            listings=self.listings,
            registry=self.registry,
            deployments=self.deployments,
            reports=self.reports,
            owners=self.owners,
            teams=self.identity.teams,
        )

    @cached_property
    def finding_lists(self) -> FindingLists:
        return FindingLists(self.asking, self.listings, self.owners.owner)

    @cached_property
    def exception_list(self) -> ExceptionList:
        return ExceptionList(self.policy, self.exceptions, self.vex, self.asking, self.clock)

    @cached_property
    def flaw_pages(self) -> FlawPages:
        return FlawPages(self.asking, self.advisories, self.where, EcosystemOrder())

    @cached_property
    def bills(self) -> Bills:
        running = WorkloadDetails(self.deployments, self.incidents, self.telemetry, self.clock)
        return Bills(self.database, self.ledger, self.details, running, self.clock)

    @property
    def projections(self) -> list[Follower]:
        """Followers that keep what is shown."""
        return [BillFollower(), EvidenceFollower(), StandingFollower(), TagFollower()]

    # How it is done

    @property
    def spool(self) -> Path:
        """Where refused pulls wait to be taken into the ledger."""
        return spool_directory(self.settings)

    @property
    def _telemetry(self) -> Path:
        return self.settings.data / "telemetry"

    def _engine_address(self) -> str:
        if not self.settings.engine:
            raise EngineUnavailable(
                "This Lading has no container engine, so it can build and run nothing.",
                remedy="Install one (apt-get install docker.io), or name one with LADING_ENGINE; then restart Lading.",
            )
        return self.settings.engine

    def _drain(self, container: str) -> None:
        self.collector.drain(container)

    def _builder_credentials(self, team: str) -> Credentials:
        issued = self.identity.issue_internal(
            team, "builder", lasting=_OWN_TOKENS_LAST, only=[Operation.PUSH, Operation.PULL]
        )
        registries = (str(self.settings.push_addr), str(self.settings.pull_addr))
        return Credentials(f"{team}/builder", issued.text, registries)

    def _pull_credentials(self, registry: str) -> tuple[str, str]:
        if registry != str(self.settings.pull_addr):
            return "", ""
        teams = self.identity.teams()
        if not teams:
            return "", ""
        issued = self.identity.issue_internal(teams[0], "engine", lasting=_OWN_TOKENS_LAST, only=[Operation.PULL])
        return f"{teams[0]}/engine", issued.text
