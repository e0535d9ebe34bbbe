"""Every kind of fact as a sentence, for histories. A test fails for a kind without words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lading.facts import Fact
from lading.facts.kinds import (
    access,
    collecting,
    continuity,
    holding,
    identity,
    keys,
    lifecycle,
    mirroring,
    observability,
    orchestration,
    policy,
    replication,
    reports,
    runtime_security,
    supply_chain,
    system,
)


def words(fact: Fact) -> str:
    """What happened, in one sentence without a full stop."""
    say = _WORDS.get(type(fact))
    return say(fact) if say else fact.kind()


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:12]


def _list(items: tuple[str, ...], most: int = 3) -> str:
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _refused(fact: identity.AccessRefused) -> str:
    often = f", {fact.times} times" if fact.times > 1 else ""
    return f"{fact.principal} was refused to {fact.operation} {fact.target}{_from(fact)}{often}"


def _from(fact: identity.AccessRefused | identity.AccessUsed) -> str:
    return f" from {fact.address}" if fact.address else ""


def _narrowed(fact: identity.RoleGranted | identity.RoleWithdrawn) -> str:
    return f" for {fact.repositories}" if fact.repositories else ""


def _pushed(fact: supply_chain.ImagePushed) -> str:
    if fact.refers_to:
        return f"{fact.artifact_type or 'an artifact'} was attached to {_short(fact.refers_to)}"
    tag = f":{fact.tag}" if fact.tag else ""
    return f"pushed to {fact.repository}{tag} by {fact.principal} for team {fact.team or 'nobody'}"


def _moved(fact: supply_chain.ImageMoved) -> str:
    until = f" until {fact.until[:10]}" if fact.until else ""
    return f"became {fact.after}{until}: {fact.why}"


def _decided(fact: policy.DecisionMade) -> str:
    if fact.allowed:
        return f"may pass stage {fact.stage}"
    return f"was refused at stage {fact.stage} by {_list(fact.denied_by)}"


def _findings(fact: supply_chain.FindingsChanged) -> str:
    changes = [f"{len(fact.opened)} findings opened"] if fact.opened else []
    changes += [f"{len(fact.closed)} closed"] if fact.closed else []
    if fact.cause == "vex-changed":
        changes = [f"{len(fact.closed)} findings set aside"] if fact.closed else []
        changes += [f"{len(fact.opened)} count again"] if fact.opened else []
    return f"{' and '.join(changes) or 'findings changed'}; now {_counts(fact.by_severity)}"


def _stopped(fact: orchestration.ContainerStopped) -> str:
    why = "as planned" if fact.expected else "unexpectedly"
    memory = ", out of memory" if fact.out_of_memory else ""
    return f"container {_short(fact.container)} stopped {why} with exit code {fact.exit_code}{memory}"


def _deployed(fact: orchestration.DeploymentFinished) -> str:
    reason = f": {fact.reason}" if fact.reason else ""
    return f"deployment {fact.outcome} after {fact.seconds:.1f} s{reason}"


def _reported(fact: reports.ReportAttached) -> str:
    tests = f"{fact.failed_tests} of {fact.tests} tests failed" if fact.report_kind == "test" else ""
    return f"{fact.tool} {fact.version} reported ({fact.report_kind}): {tests or _counts(fact.by_severity)}"


def _posture(fact: runtime_security.PostureAssessed) -> str:
    return f"has more than it was allowed: {_list(fact.deviations)}" if fact.deviations else "has what it was allowed"


def _synced(fact: mirroring.MirrorSynced) -> str:
    if fact.error:
        return f"could not be mirrored as planned: {fact.error}"
    return f"was looked through: {fact.tags} tags in {fact.repositories} repositories, {fact.gone} are gone"


def _mirrored(fact: mirroring.ImageMirrored) -> str:
    return (
        f"came from {fact.upstream} ({fact.remote}) to {fact.repository}, {fact.bytes / 1e6:.1f} MB "
        f"and {fact.referrers} referrers"
    )


def _held_tag(fact: mirroring.UpstreamTagHeld) -> str:
    return f"{fact.tag} is {_short(fact.digest)} at {fact.upstream}, here it stays {_short(fact.kept)}: {fact.why}"


def _conflict(fact: replication.TagConflictResolved) -> str:
    kept = _short(fact.kept) or "its deletion"
    lost = _short(fact.lost) or "its deletion"
    stays, goes = f"{kept} of {fact.kept_region}", f"{lost} of {fact.lost_region}"
    return f"tag {fact.tag} was moved in two regions at once: {stays} stays, {goes} is kept by its digest"


_WORDS: Final[dict[type[Fact], Callable[[Any], str]]] = {
    replication.TargetAdded: lambda fact: f"is copied to {fact.url} from now on",
    replication.TargetRemoved: lambda fact: f"is not copied any more; {fact.waiting} items were waiting",
    replication.ReplicationFailed: lambda fact: f"could not be served, {fact.waiting} items wait: {fact.why}",
    replication.ReplicationCaughtUp: lambda fact: f"caught up: {fact.items} items in {fact.seconds:.1f} s",
    replication.RegionAccepted: lambda fact: f"is trusted with key {fact.key_id[:19]} for {_list(fact.patterns)}",
    replication.RegionDismissed: lambda _fact: "is not trusted any more",
    replication.ChangeRefused: lambda fact: f"said about {fact.change} {fact.name} what is not taken over: {fact.why}",
    replication.TagConflictResolved: _conflict,
    mirroring.UpstreamAdded: lambda fact: f"{fact.url} is mirrored below {fact.prefix}/ for team {fact.team}",
    mirroring.UpstreamChanged: lambda fact: f"is mirrored otherwise: {_list(fact.changed)}",
    mirroring.UpstreamRemoved: lambda _fact: "is not mirrored any more",
    mirroring.UpstreamFailed: lambda fact: f"is {fact.standing}: {fact.why}",
    mirroring.UpstreamRecovered: lambda fact: f"answers again after {fact.seconds:.0f} s",
    mirroring.UpstreamLied: lambda fact: f"lied about {fact.repository} {fact.reference}: {fact.why}",
    mirroring.MirrorSynced: _synced,
    mirroring.ImageMirrored: _mirrored,
    mirroring.UpstreamTagGone: lambda fact: f"{fact.tag} is gone at {fact.upstream}; {_short(fact.digest)} stays here",
    mirroring.UpstreamTagHeld: _held_tag,
    mirroring.StaleServed: lambda fact: f"was served as {fact.repository} {fact.reference}, perhaps old: {fact.why}",
    system.ServerStarted: lambda fact: f"Lading {fact.version} started{'' if fact.clean else ' after an unclean end'}",
    system.ServerStopped: lambda fact: f"Lading stopped after {fact.seconds:.0f} s",
    system.ClockRegressed: lambda fact: f"the machine's clock went back by {fact.behind_us / 1e6:.0f} s",
    system.CheckpointSigned: lambda fact: f"the ledger up to entry {fact.seq} was signed",
    system.ToolSeen: lambda fact: f"{fact.name} {fact.version} took part as {fact.role}",
    identity.TeamCreated: lambda fact: f"team {fact.team} was created",
    identity.PrincipalCreated: lambda fact: f"{fact.principal} was created",
    identity.PrincipalLinked: lambda fact: f"{fact.principal} logs in at {fact.issuer} as {fact.external}",
    identity.PrincipalDisabled: lambda fact: f"{fact.principal} was disabled",
    identity.RoleGranted: lambda fact: f"{fact.principal} became {fact.role} of {fact.team}{_narrowed(fact)}",
    identity.RoleWithdrawn: lambda fact: f"{fact.principal} is no longer {fact.role} of {fact.team}{_narrowed(fact)}",
    identity.TokenIssued: lambda fact: f"a token for {fact.purpose or 'use'} was issued",
    identity.TokenRevoked: lambda _fact: "a token was revoked",
    identity.AccessRefused: _refused,
    identity.AccessUsed: lambda fact: f"{fact.operation} {fact.target}{_from(fact)}",
    access.TokenKeysRotated: lambda fact: f"tokens are signed with key {fact.key_id} from {fact.since[:19]} on",
    access.VisibilityChanged: lambda fact: f"{fact.repository} is {fact.visibility} now, not {fact.before}",
    policy.DecisionMade: _decided,
    policy.RulesLoaded: lambda fact: f"{fact.count} rules came into force from {fact.origin}",
    policy.ExceptionGranted: lambda fact: f"{fact.match} is excepted until {fact.until[:10]}: {fact.reason}",
    policy.ExceptionWithdrawn: lambda _fact: "an exception was withdrawn",
    supply_chain.BaseImageMade: lambda fact: (
        f"made from {fact.packages} packages of {fact.distribution}"
        + (", reproduced byte for byte" if fact.reproduced else "")
    ),
    supply_chain.ImageBuilt: lambda fact: (
        f"built from source {_short(fact.source)} by {fact.builder}, "
        f"{fact.cached_steps} of {fact.steps} steps from the cache, {fact.seconds:.1f} s"
    ),
    supply_chain.ImagePushed: _pushed,
    supply_chain.ImageUnattributed: lambda fact: (
        f"pushed to {fact.repository} without saying its {' and '.join(fact.missing)}"
    ),
    supply_chain.TagMoved: lambda fact: (
        f"tag {fact.tag} " + (f"names {_short(fact.digest)}" if fact.digest else "was deleted")
    ),
    supply_chain.ManifestDeleted: lambda fact: f"deleted from {fact.repository}",
    supply_chain.PullRefused: lambda fact: f"{fact.principal or 'somebody'} may not pull it: {fact.reason}",
    supply_chain.LayerInventoried: lambda fact: f"layer read: {fact.packages} packages, {fact.files} files",
    supply_chain.ImageInventoried: lambda fact: (
        f"inventory taken: {fact.packages} packages "
        f"({_counts(fact.ecosystems)}), {fact.reused} of {fact.layers} layers known before"
    ),
    supply_chain.AdvisoriesUpdated: lambda fact: f"{fact.changed} of {fact.records} advisories new or changed",
    supply_chain.FindingsChanged: _findings,
    supply_chain.FeedStale: lambda fact: (
        f"advisories of {fact.source} are {fact.age_days:.0f} days old, more than {fact.stale_days}"
    ),
    supply_chain.VexTaken: lambda fact: (
        f"{fact.author} says of {len(fact.flaws)} flaws: {_counts(fact.statuses)}; until {fact.until[:10]}"
    ),
    supply_chain.VexEnded: lambda fact: f"what was said of {fact.flaws[0]} counts no more: {fact.why}",
    supply_chain.ImageMoved: _moved,
    supply_chain.AttestationMade: lambda fact: f"attested: {fact.predicate_type}",
    keys.KeyTrusted: lambda fact: f"signatures by {fact.name} count" + (", Lading signs with it" if fact.ours else ""),
    keys.KeyRevoked: lambda fact: f"no signature by {fact.name} counts any more: {fact.why}",
    reports.ReportAttached: _reported,
    reports.ReportRepeated: lambda fact: (
        f"{fact.tool} {fact.version} reported the same way {fact.times} times"
        + (f", {fact.seconds:.0f} s wasted" if fact.seconds else "")
    ),
    supply_chain.OwnerChanged: lambda fact: f"belongs to team {fact.team} now, not to {fact.before}",
    orchestration.EngineConnected: lambda fact: f"{fact.engine} {fact.version} answers",
    orchestration.EngineLost: lambda fact: f"the engine does not answer: {fact.reason}",
    orchestration.WorkloadDeclared: lambda fact: (
        f"shall run {fact.replicas} of {_short(fact.image)}"
        + (f" with {_list(fact.relaxations)}" if fact.relaxations else ", hardened")
    ),
    orchestration.DeploymentStarted: lambda fact: f"deployment of {_short(fact.image)} began ({fact.cause})",
    orchestration.DeploymentFinished: _deployed,
    orchestration.WorkloadRemoved: lambda fact: f"removed: {fact.reason}",
    orchestration.ContainerStarted: lambda fact: (
        f"container {fact.name} started on {fact.node}" + (f", restart {fact.restarts}" if fact.restarts else "")
    ),
    orchestration.ContainerHealthChanged: lambda fact: f"container {_short(fact.container)} is {fact.health}",
    orchestration.ContainerStopped: _stopped,
    runtime_security.PostureAssessed: _posture,
    runtime_security.SensorStateChanged: lambda fact: (
        f"sensor {fact.sensor} is {fact.state}" + (f", {fact.lost} events lost" if fact.lost else "")
    ),
    runtime_security.IncidentOpened: lambda fact: f"incident ({fact.severity}): {fact.title}",
    runtime_security.IncidentSeenAgain: lambda fact: f"the incident repeated itself, {fact.times} times by now",
    runtime_security.IncidentClosed: lambda fact: f"incident closed: {fact.resolution}",
    runtime_security.ResponseTaken: lambda fact: f"response {fact.action}: {fact.outcome}",
    observability.TelemetryClosed: lambda fact: f"{fact.log_lines} log lines and {fact.samples} samples were kept",
    observability.TelemetryGap: lambda fact: f"{fact.stream} are missing: {fact.reason}",
    observability.TelemetryExpired: lambda fact: f"{fact.parts} old parts of telemetry were removed",
    continuity.BackupTaken: lambda fact: (
        f"backup taken as of {fact.at[:19]}: {fact.items} items, {fact.new_items} new, {fact.added / 1e6:.1f} MB added"
        + (f", {fact.missing} LOST BY STORAGE" if fact.missing else "")
    ),
    continuity.BackupVerified: lambda fact: f"backup verified{', every byte read' if fact.read_data else ''}",
    continuity.BackupFailed: lambda fact: f"backup work failed ({fact.work}): {fact.why}",
    continuity.RestoreDrilled: lambda fact: (
        f"restore drill {fact.outcome}: RTO {fact.rto_seconds:.1f} s, RPO {fact.rpo_seconds:.0f} s, "
        f"{fact.compared} digests compared" + (f": {fact.why}" if fact.why else "")
    ),
    continuity.BackupRestored: lambda fact: f"restored from the backup of {fact.at[:19]} in {fact.seconds:.1f} s",
    continuity.BackupScheduled: lambda fact: (
        f"backup {fact.work} is done every {fact.every_seconds} s" if fact.every_seconds else f"no {fact.work} any more"
    ),
    continuity.BackupsForgotten: lambda fact: f"{fact.snapshots} old snapshots were forgotten, keeping {fact.keep}",
    collecting.GarbageCollected: lambda fact: (
        f"garbage collection gave up {fact.blobs} blobs, {fact.bytes / 1e6:.1f} MB"
    ),
    collecting.RetentionChanged: lambda fact: (
        f"retention of {fact.pattern} changed" if fact.rule else f"retention of {fact.pattern} ended"
    ),
    collecting.RetentionApplied: lambda fact: f"retention let {fact.deleted} images go and kept {fact.kept}",
    collecting.QuotaChanged: lambda fact: (
        f"may store {fact.bytes / 1e9:.1f} GB" if fact.bytes >= 0 else "may store as much as it likes"
    ),
    holding.HoldPlaced: lambda fact: (
        f"held ({fact.hold}): {fact.why}" + (f", until {fact.until[:16]}" if fact.until else "")
    ),
    holding.HoldReleased: lambda fact: f"the {fact.hold} hold ended",
    lifecycle.ShipStarted: lambda fact: (
        f"ship of source {_short(fact.source)} began" + (f" at commit {fact.commit[:12]}" if fact.commit else "")
    ),
    lifecycle.ShipFinished: lambda fact: (
        f"ship {fact.outcome} after {fact.seconds:.1f} s" + (f": {fact.reason}" if fact.reason else "")
    ),
    lifecycle.PatchPlanned: lambda fact: f"a patch of {_list(fact.workloads)} was planned",
    lifecycle.PatchFinished: lambda fact: f"patch {fact.outcome} after {fact.seconds:.1f} s",
    lifecycle.ImageRevocationCarriedOut: lambda fact: f"revoked; {len(fact.running)} containers still run it",
}
KINDS_WITH_WORDS: Final = frozenset(_WORDS)
