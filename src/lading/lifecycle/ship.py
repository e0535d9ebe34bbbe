"""From a source to running: read, build, push, admit, decide, deploy.

Every step can be repeated. A kill in the middle leaves images in quarantine, or approved ones that nothing runs yet;
the same ship again finds what is there (the layer cache, the inventories, the approvals) and goes on to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.lifecycle import ShipFinished, ShipStarted
from lading.facts.kinds.supply_chain import ImageBuilt
from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, LadingError, Refused
from lading.kernel.reference import Reference
from lading.kernel.subject import Subject
from lading.lifecycle.admit import Admission, Verdict
from lading.lifecycle.bases import Bases
from lading.lifecycle.document import BASE_LABEL, DIRTY_LABEL, Documents
from lading.lifecycle.steps import BuildSteps
from lading.lifecycle.telling import Telling
from lading.orchestration.rollout.deployments import Deployments, Outcome
from lading.orchestration.workload.compose import find_compose_file, load_application
from lading.orchestration.workload.spec import Application, BuildSource, WorkloadSpec
from lading.policy.decide import Policy
from lading.policy.explain import Explainer
from lading.state import Database
from lading.supply_chain.build.builder import Builder, BuildRequest, Built, Credentials
from lading.supply_chain.build.dockerfile import Dockerfile, parse
from lading.supply_chain.build.errors import SourceInvalid
from lading.supply_chain.build.provenance import BuildRecord, provenance
from lading.supply_chain.build.sources import Sources

# Before the id of the decision in the details of a refusal, for who reads it again.
DECISION: Final = "decision "
_REVISION: Final = "org.opencontainers.image.revision"


class ShipRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to ship: a source that was uploaded, and what is known about it."""

    source: str
    name: str
    commit: str = ""
    dirty: bool = False
    team: str = ""
    deploy: bool = True


class ShipResult(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended: `deployed`, `built`, `unchanged` or `rolled-back`, and the digest of each workload's image."""

    ship: str
    application: str
    outcome: str
    images: dict[str, str]
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Site:
    """What ships need to know of this Lading: its endpoints, and how work of its own logs in to them."""

    push: str
    pull: str
    credentials: Callable[[str], Credentials]
    secrets: Mapping[str, Path] = field(default_factory=dict)
    environment: str = "production"


class Ships:
    """Ships applications."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        sources: Sources,
        builder: Builder,
        bases: Bases,
        steps: BuildSteps,
        admission: Admission,
        documents: Documents,
        policy: Policy,
        explainer: Explainer,
        deployments: Deployments,
        site: Site,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._sources = sources
        self._builder = builder
        self._bases = bases
        self._steps = steps
        self._admission = admission
        self._documents = documents
        self._policy = policy
        self._explainer = explainer
        self._deployments = deployments
        self._site = site
        self._clock = clock

    def ship(self, identity: str, request: ShipRequest, actor: str, telling: Telling) -> ShipResult:
        """Ship an application.

        Raises:
            Refused: a policy said no; the explanation is in the error.
            BuildFailed, ComposeInvalid, EngineUnavailable and the like, each saying what to do.
        """
        started = self._clock.monotonic()
        source = Digest.parse(request.source)
        with self._sources.checkout(source) as directory:
            telling.step("Read the source")
            application = self._application(directory, request)
            telling.say(f"application {application.name}: {', '.join(item.service for item in application.workloads)}")
            for key in application.not_carried_out:
                telling.say(f"not carried out: {key}", "warning")
            self._state(self._started(identity, request, application), actor)
            try:
                result = self._carry_out(identity, request, application, directory, actor, telling)
            except LadingError as error:
                outcome = "refused" if isinstance(error, Refused) else "failed"
                self._state(self._finished(identity, application, outcome, {}, error.what, started), actor)
                raise
        images = result.images
        self._state(self._finished(identity, application, result.outcome, images, result.reason, started), actor)
        return msgspec.structs.replace(result, seconds=self._clock.monotonic() - started)

    def _carry_out(
        self, identity: str, request: ShipRequest, application: Application, directory: Path, actor: str,
        telling: Telling,
    ) -> ShipResult:  # fmt: skip
        verdicts = self._images(identity, request, application, directory, telling)
        images = {name: str(verdict.image) for name, verdict in verdicts.items()}
        telling.step("Decide")
        self._require_approved(verdicts.values(), telling)
        resolved = self._resolved(application, verdicts)
        self._decide_deploy(resolved, verdicts, actor, telling)
        if not request.deploy:
            return ShipResult(ship=identity, application=application.name, outcome="built", images=images)
        telling.step("Deploy")
        outcome = self._deployments.deploy(
            resolved, source=request.source, cause=f"ship {identity}", actor=actor, say=telling.say
        )
        return self._result(identity, application, images, outcome)

    # Source to images

    def _application(self, directory: Path, request: ShipRequest) -> Application:
        file = find_compose_file(directory)
        if file is not None:
            application = load_application(
                [file],
                variables={},
                default_name=request.name,
                default_environment=self._site.environment,
                team=request.team,
            )
        elif (directory / "Dockerfile").is_file():
            application = _single(request, self._site.environment)
        else:
            raise SourceInvalid(
                "The source has neither a Compose file nor a Dockerfile at its top.",
                remedy="Name the directory that holds compose.yaml: `lading ship DIRECTORY`.",
            )
        if not application.team:
            raise InvalidInput(
                f"Application {application.name} belongs to no team.",
                remedy="Say `x-lading: {team: NAME}` in its Compose file, or give --team.",
            )
        return application

    def _images(
        self, identity: str, request: ShipRequest, application: Application, directory: Path, telling: Telling
    ) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        built: dict[tuple[object, ...], Verdict] = {}
        for spec in application.workloads:
            if spec.build is None:
                telling.step(f"Resolve {spec.image}")
                verdicts[spec.name] = self._bases.resolve(Reference.parse(spec.image), telling)
                continue
            key = (spec.build.context, spec.build.dockerfile, spec.build.target, *sorted(spec.build.arguments.items()))
            if key not in built:
                built[key] = self._build(identity, request, application, spec, spec.build, directory, telling)
            verdicts[spec.name] = built[key]
        return verdicts

    def _build(
        self, identity: str, request: ShipRequest, application: Application, spec: WorkloadSpec, source: BuildSource,
        directory: Path, telling: Telling,
    ) -> Verdict:  # fmt: skip
        telling.step(f"Build {spec.name}")
        began = timestamp(self._clock.now())
        context = directory / source.context
        path = context / source.dockerfile
        dockerfile = _read(path, source)
        pins = {base: self._bases.pin(base, telling) for base in dockerfile.bases()}
        repository = f"{application.name}/{spec.service}"
        tag = (
            (request.commit[:12] + ("-dirty" if request.dirty else ""))
            if request.commit
            else Digest.parse(request.source).short
        )
        image = Reference(repository, self._site.push, tag)
        build = BuildRequest(
            directory=context,
            dockerfile=dockerfile,
            image=image,
            target=source.target,
            arguments=source.arguments,
            pins=pins,
            labels=_labels(request, dockerfile, pins, application.team),
            secrets=self._site.secrets,
        )
        for place in (repository, f"{repository}/build-cache"):
            self._bases.lend(pins.values(), place, "system:builder", application.team)
        made = self._builder.build(
            build, self._site.credentials(application.team), lambda text: telling.say(text, "detail")
        )
        telling.say(f"{len(made.steps)} steps, {made.cached_steps} from the cache, {made.seconds:.1f} s")
        telling.say(f"pushed {image.path}@{made.digest.short}")
        version = self._builder.version()
        record = BuildRecord(
            build=identity,
            source=Digest.parse(request.source),
            commit=request.commit,
            dirty=request.dirty,
            dockerfile=Digest.of(dockerfile.text.encode()),
            dockerfile_path=str(path.relative_to(directory)),
            target=source.target,
            arguments=source.arguments,
            secrets=tuple(self._site.secrets),
            pins=pins,
            stages=tuple(stage.name for stage in dockerfile.stages),
            builder=self._builder.name,
            builder_version=version,
            started=began,
            finished=timestamp(self._clock.now()),
        )
        self._state([_built_fact(request, record, image, made)], "system:builder")
        telling.step(f"Admit {spec.name}")
        steps = self._steps.of(
            made.digest, [pin.digest for pin in pins.values() if pin.digest is not None], made.stages
        )
        return self._admission.admit(made.digest, repository, telling, provenance(record, made, steps))

    # Images to running

    def _require_approved(self, verdicts: Any, telling: Telling) -> None:
        for verdict in verdicts:
            if not verdict.approved:
                raise self._refused(f"Image {verdict.repository}", verdict.decision.id, telling)

    def _resolved(self, application: Application, verdicts: Mapping[str, Verdict]) -> Application:
        workloads = []
        for spec in application.workloads:
            verdict = verdicts[spec.name]
            pinned = Reference(verdict.repository, self._site.pull).at(verdict.image)
            workloads.append(spec.resolved(str(pinned)))
        return msgspec.structs.replace(application, workloads=tuple(workloads))

    def _decide_deploy(
        self, application: Application, verdicts: Mapping[str, Verdict], actor: str, telling: Telling
    ) -> None:
        for spec in application.workloads:
            document = self._documents.of_workload(spec, verdicts[spec.name].image, application.environment)
            decision = self._policy.decide("deploy", Subject.workload(spec.name), document, actor=actor)
            if not decision.allowed:
                raise self._refused(f"Workload {spec.name}", decision.id, telling)
            telling.say(f"{spec.name} may be deployed (decision {decision.id[:8]})", "done")
            for warning in decision.outcome.warnings:
                telling.say(f"{warning.rule}: {warning.message}", "warning")

    def _refused(self, what: str, decision: str, telling: Telling) -> Refused:
        explanation = self._explainer.explain(decision)
        for line in explanation.text().splitlines():
            telling.say(line, "error")
        return Refused(
            f"{what} was refused by policy (decision {decision}).",
            remedy=f"Make the change named above and ship again; `lading policy explain {decision}` repeats it.",
            details=(f"{DECISION}{decision}",),
        )

    def _result(self, identity: str, application: Application, images: dict[str, str], outcome: Outcome) -> ShipResult:
        name = {"succeeded": "deployed"}.get(outcome.outcome, outcome.outcome)
        return ShipResult(
            ship=identity, application=application.name, outcome=name, images=images, reason=outcome.reason
        )

    # Facts

    def _state(self, facts: list[Fact], actor: str) -> None:
        with self._database.write() as tx:
            self._ledger.append(tx, facts, actor=actor)

    def _started(self, identity: str, request: ShipRequest, application: Application) -> list[Fact]:
        return [
            ShipStarted(
                ship=identity,
                application=application.name,
                team=application.team,
                source=request.source,
                commit=request.commit,
                dirty=request.dirty,
            )
        ]

    def _finished(
        self, identity: str, application: Application, outcome: str, images: dict[str, str], reason: str, started: float
    ) -> list[Fact]:
        return [
            ShipFinished(
                ship=identity,
                application=application.name,
                outcome=outcome,
                images=images,
                reason=reason,
                seconds=self._clock.monotonic() - started,
            )
        ]


def _single(request: ShipRequest, environment: str) -> Application:
    """A directory with only a Dockerfile is an application of one workload."""
    name = "".join(character if character.isalnum() else "-" for character in request.name.lower()).strip("-") or "app"
    spec = WorkloadSpec(application=name, service="app", team=request.team, build=BuildSource(context="."))
    return Application(name=name, team=request.team, environment=environment, workloads=(spec,))


def _read(path: Path, source: BuildSource) -> Dockerfile:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceInvalid(
            f"There is no readable Dockerfile at {source.context}/{source.dockerfile} in the source.",
            remedy="Correct build.context and build.dockerfile in the Compose file.",
        ) from error
    return parse(text, source.arguments, f"{source.context}/{source.dockerfile}")


def _labels(
    request: ShipRequest, dockerfile: Dockerfile, pins: Mapping[Reference, Reference], team: str
) -> dict[str, str]:
    labels = {"lading.team": team, DIRTY_LABEL: "true" if request.dirty else "false"}
    if request.commit:
        labels[_REVISION] = request.commit
    base = dockerfile.stages[-1].base
    if base is not None and (pin := pins.get(base)) is not None:
        labels[BASE_LABEL] = f"{base}@{pin.digest}"
    return labels


def _built_fact(request: ShipRequest, record: BuildRecord, image: Reference, made: Built) -> ImageBuilt:
    return ImageBuilt(
        digest=str(made.digest),
        repository=image.path,
        tag=image.tag,
        builder=f"{record.builder} ({record.builder_version})",
        source=request.source,
        commit=request.commit,
        dirty=request.dirty,
        dockerfile=str(record.dockerfile),
        bases={str(said): str(pin.digest) for said, pin in record.pins.items()},
        steps=len(made.steps),
        cached_steps=made.cached_steps,
        seconds=made.seconds,
    )
