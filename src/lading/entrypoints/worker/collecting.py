"""The jobs that give up what nobody needs: garbage collection and retention, when asked and once a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec

from lading.entrypoints.worker.telling import JobTelling
from lading.jobs import Job
from lading.kernel.clock import parse_timestamp
from lading.supply_chain.registry.collecting import Order, Progress
from lading.wiring import Wiring

ACTOR: Final = "system:registry"
_SAY_SECONDS: Final = 2.0


def collect(wiring: Wiring, job: Job, telling: JobTelling) -> dict[str, Any]:
    """Collect garbage, telling how far it is every two seconds."""
    order = msgspec.convert(job.request["order"], Order)
    collections = wiring.collecting.collections
    if job.request.get("strays"):
        telling.step("Look for content that the database does not know")
        telling.say(f"{collections.take_in_strays(wiring.storage.all())} found; they are collected after the grace")
    telling.step("Collect garbage")
    said = wiring.clock.monotonic()

    def say(progress: Progress) -> None:
        nonlocal said
        if wiring.clock.monotonic() - said >= _SAY_SECONDS:
            said = wiring.clock.monotonic()
            telling.say(
                f"{progress.phase}: {progress.links} links, {progress.blobs} blobs, {_megabytes(progress.bytes)}"
            )

    done = collections.run(order, actor=job.actor, say=say)
    telling.say(f"{done.links} links and {done.blobs} blobs given up, {_megabytes(done.bytes)}", "done")
    return dict(msgspec.to_builtins(done))


def retain(wiring: Wiring, job: Job, telling: JobTelling) -> dict[str, Any]:
    """Apply the rules of retention."""
    telling.step("Apply retention")
    done = wiring.collecting.retention.apply(actor=job.actor)
    for fact in done:
        telling.say(f"{fact.repository}: {fact.deleted} images deleted, {fact.kept} kept")
    deleted = sum(fact.deleted for fact in done)
    telling.say(f"{deleted} images deleted in {len(done)} repositories", "done")
    return {"deleted": deleted, "repositories": len(done)}


def order_daily(wiring: Wiring) -> None:
    """Order retention and then a collection, when the last collection began more than a day ago."""
    hours = wiring.settings.gc_hours
    if not hours:
        return
    last = next(iter(wiring.collecting.collections.recent(limit=1)), None)
    now = wiring.clock.now()
    if last is not None and now - parse_timestamp(last.started) < timedelta(hours=hours):
        return
    waiting = {job.kind for job in wiring.jobs.recent(limit=50) if not job.state.is_final}
    if "collect" in waiting:
        return
    wiring.jobs.submit("retain", {}, actor=ACTOR)
    order = Order(grace=wiring.settings.gc_grace_seconds, rate=float(wiring.settings.gc_rate))
    wiring.jobs.submit("collect", {"order": msgspec.to_builtins(order)}, actor=ACTOR)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
