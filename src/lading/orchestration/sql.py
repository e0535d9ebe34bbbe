"""What orchestration keeps: applications as they shall be, deployments, and containers that are or were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from lading.kernel.canonical import canonical_json
from lading.kernel.errors import NotFound
from lading.orchestration.workload.spec import Application, WorkloadSpec
from lading.state import Transaction
from lading.state.schema import metadata

applications: Final = sa.Table(
    "orchestration_applications",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("spec", sa.LargeBinary, nullable=False),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
    sa.Column("declared", sa.Text, nullable=False),
    # The last declaration that was carried out: where a rollback leads, also after a kill in the middle of one.
    sa.Column("proven", sa.LargeBinary),
    sa.Column("proven_source", sa.Text, nullable=False, server_default=""),
)

deployments: Final = sa.Table(
    "orchestration_deployments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("application", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, server_default="running"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
    sa.Index("ix_orchestration_deployments_application", "application", "id"),
)

containers: Final = sa.Table(
    "orchestration_containers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("workload", sa.Text, nullable=False),
    sa.Column("application", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("deployment", sa.Text, nullable=False),
    sa.Column("spec_digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("health", sa.Text, nullable=False, server_default=""),
    sa.Column("restarts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("exit_code", sa.Integer),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("stopped", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_orchestration_containers_workload_state", "workload", "state"),
    sa.Index("ix_orchestration_containers_image", "image"),
)

RUNNING: Final = ("running", "stopping")
_IMAGES_AT_ONCE: Final = 500
_decode: Final = msgspec.json.Decoder(Application).decode


class ContainerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A container that is or was. `image` is a digest."""

    id: str
    name: str
    workload: str
    application: str
    team: str
    image: str
    node: str
    deployment: str
    spec_digest: str
    state: str
    health: str
    restarts: int
    exit_code: int | None
    started: str
    stopped: str


def keep_application(tx: Transaction, application: Application, source: str, moment: str) -> None:
    """Keep what an application shall be, in place of what it should be before."""
    values = {
        "team": application.team,
        "environment": application.environment,
        "spec": canonical_json(application),
        "source": source,
        "declared": moment,
    }
    where = applications.c.name == application.name
    if tx.execute(sa.update(applications).where(where).values(values)).rowcount == 0:
        tx.execute(sa.insert(applications).values(name=application.name, **values))


def prove_application(tx: Transaction, name: str) -> None:
    """What the application shall be was carried out."""
    values = {"proven": applications.c.spec, "proven_source": applications.c.source}
    tx.execute(sa.update(applications).where(applications.c.name == name).values(values))


def proven_application(tx: Transaction, name: str) -> tuple[Application, str] | None:
    """The last declaration that was carried out, and the digest of its source; None when there never was one."""
    columns = applications.c.proven, applications.c.proven_source
    row = tx.execute(sa.select(*columns).where(applications.c.name == name)).first()
    return None if row is None or row.proven is None else (_decode(row.proven), row.proven_source)


def forget_application(tx: Transaction, name: str) -> None:
    """The application shall not be."""
    tx.execute(sa.delete(applications).where(applications.c.name == name))


def application_of(tx: Transaction, name: str) -> tuple[Application, str]:
    """What an application shall be and the digest of its source; raises NotFound."""
    row = tx.execute(sa.select(applications.c.spec, applications.c.source).where(applications.c.name == name)).first()
    if row is None:
        raise NotFound(f"There is no application {name}.", remedy="See `lading ps` for those there are.")
    return _decode(row.spec), row.source


def all_applications(tx: Transaction) -> list[Application]:
    """Every application that shall be."""
    return [
        _decode(body) for body in tx.execute(sa.select(applications.c.spec).order_by(applications.c.name)).scalars()
    ]


def all_specs(tx: Transaction) -> list[WorkloadSpec]:
    """Every workload as it was proven and as it shall be; of one name, the proven comes first."""
    query = sa.select(applications.c.proven, applications.c.spec).order_by(applications.c.name)
    found: list[WorkloadSpec] = []
    for row in tx.execute(query):
        for body in (row.proven, row.spec):
            found += _decode(body).workloads if body is not None else ()
    return found


def open_deployments(tx: Transaction, application: str) -> list[str]:
    """Deployments of an application that were begun and never finished."""
    where = (deployments.c.application == application) & (deployments.c.outcome == "running")
    return list(tx.execute(sa.select(deployments.c.id).where(where)).scalars())


def under_way(tx: Transaction, deployment: str) -> bool:
    """Whether a deployment was begun and not finished."""
    where = (deployments.c.id == deployment) & (deployments.c.outcome == "running")
    return tx.execute(sa.select(deployments.c.id).where(where)).first() is not None


def begin_deployment(tx: Transaction, deployment: str, application: str, cause: str, moment: str) -> None:
    """A deployment is under way."""
    values = {"id": deployment, "application": application, "cause": cause, "started": moment}
    tx.execute(sa.insert(deployments).values(values))


def finish_deployment(tx: Transaction, deployment: str, outcome: str, reason: str, seconds: float) -> None:
    """A deployment ended."""
    values = {"outcome": outcome, "reason": reason, "seconds": seconds}
    tx.execute(sa.update(deployments).where(deployments.c.id == deployment).values(values))


def change_container(tx: Transaction, container: str, states: Sequence[str], **values: Any) -> bool:
    """Change a container that is in one of these states; whether anything became different."""
    differs = sa.or_(*(containers.c[name] != value for name, value in values.items()))
    where = (containers.c.id == container) & containers.c.state.in_(states) & differs
    return tx.execute(sa.update(containers).where(where).values(values)).rowcount > 0


def keep_container(tx: Transaction, values: dict[str, Any]) -> bool:
    """Keep a container or what changed of it; whether it is new."""
    where = containers.c.id == values["id"]
    if tx.execute(sa.update(containers).where(where).values(values)).rowcount:
        return False
    tx.execute(sa.insert(containers).values(values))
    return True


def find_container(tx: Transaction, container: str) -> ContainerRow | None:
    """One container; its row stays locked until the transaction ends, where the database locks rows."""
    row = tx.execute(sa.select(containers).where(containers.c.id == container).with_for_update()).first()
    return None if row is None else ContainerRow(**row._mapping)


def find_containers(
    tx: Transaction, *, running_only: bool, workload: str = "", image: str = "", limit: int = 10_000
) -> list[ContainerRow]:
    """Containers, youngest first."""
    query = sa.select(containers).order_by(containers.c.started.desc()).limit(limit)
    if running_only:
        query = query.where(containers.c.state.in_(RUNNING))
    if workload:
        query = query.where(containers.c.workload == workload)
    if image:
        query = query.where(containers.c.image == image)
    return [ContainerRow(**row._mapping) for row in tx.execute(query)]


def running_images(tx: Transaction, images: Sequence[str]) -> list[ContainerRow]:
    """Every running container of these images (digests), however many there are, by image and name."""
    query = sa.select(containers).where(containers.c.state.in_(RUNNING)).order_by(containers.c.image, containers.c.name)
    return [
        ContainerRow(**row._mapping)
        for start in range(0, len(images), _IMAGES_AT_ONCE)
        for row in tx.execute(query.where(containers.c.image.in_(images[start : start + _IMAGES_AT_ONCE])))
    ]


def teams_running(tx: Transaction, images: Sequence[str]) -> dict[str, set[str]]:
    """Image (digest) -> the teams that have a running container of it; images that nobody runs are left out."""
    query = sa.select(containers.c.image, containers.c.team).distinct().where(containers.c.state.in_(RUNNING))
    found: dict[str, set[str]] = {}
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        for image, team in tx.execute(query.where(containers.c.image.in_(images[start : start + _IMAGES_AT_ONCE]))):
            found.setdefault(image, set()).add(team)
    return found


def mark_stopping(tx: Transaction, container: str) -> None:
    """The container's end is wanted."""
    where = (containers.c.id == container) & (containers.c.state == "running")
    tx.execute(sa.update(containers).where(where).values(state="stopping"))


def mark_stopped(tx: Transaction, container: str, moment: str, *, was: str, exit_code: int | None = None) -> bool:
    """The container, which was in state `was`, runs no more; whether that is news."""
    where = (containers.c.id == container) & (containers.c.state == was)
    values = {"state": "stopped", "health": "", "stopped": moment, "exit_code": exit_code}
    return bool(tx.execute(sa.update(containers).where(where).values(values)).rowcount)


def mark_gone(tx: Transaction, container: str) -> None:
    """The engine does not have the container any more."""
    tx.execute(sa.update(containers).where(containers.c.id == container).values(state="gone", health=""))


def mark_running_again(tx: Transaction, container: str, restarts: int) -> ContainerRow | None:
    """A stopped container runs again; the container if that is news."""
    where = (containers.c.id == container) & (containers.c.state == "stopped")
    if not tx.execute(
        sa.update(containers).where(where).values(state="running", stopped="", restarts=restarts)
    ).rowcount:
        return None
    row = tx.execute(sa.select(containers).where(containers.c.id == container)).one()
    return ContainerRow(**row._mapping)


def mark_health(tx: Transaction, container: str, health: str) -> bool:
    """The container's health; whether that is news."""
    where = (containers.c.id == container) & (containers.c.health != health)
    return bool(tx.execute(sa.update(containers).where(where).values(health=health)).rowcount)


def open_deployment(tx: Transaction, deployment: str, application: str, cause: str, moment: str) -> None:
    """A deployment begins."""
    tx.execute(sa.insert(deployments).values(id=deployment, application=application, cause=cause, started=moment))


def close_deployment(tx: Transaction, deployment: str, outcome: str, reason: str, seconds: float) -> None:
    """A deployment ended."""
    values = {"outcome": outcome, "reason": reason, "seconds": seconds}
    tx.execute(sa.update(deployments).where(deployments.c.id == deployment).values(values))
