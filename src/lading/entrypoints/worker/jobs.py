"""Do the jobs: one function for each kind, and the loop that claims them."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from lading.entrypoints.worker import collecting, feeds
from lading.entrypoints.worker.backups import BackupOrder
from lading.entrypoints.worker.telling import JobTelling
from lading.jobs import Job
from lading.kernel.errors import LadingError, Unavailable
from lading.lifecycle.bases import BaseOrder
from lading.lifecycle.ship import ShipRequest
from lading.wiring import Wiring
from lading.wiring.copies import CopyOrder

_log: Final = logging.getLogger(__name__)
_IDLE_SECONDS: Final = 0.2

Doer = Callable[[Job, JobTelling], dict[str, Any]]


class JobRunner:
    """Claims jobs and does them."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._name = f"worker-{os.getpid()}"
        self._doers: dict[str, Doer] = {
            "ship": self._ship,
            "base": self._base,
            "patch": self._patch,
            "remove": self._remove,
            "backup": self._backup,
            "collect": partial(collecting.collect, wiring),
            "copy": self._copy,
            "retain": partial(collecting.retain, wiring),
            "feeds": partial(feeds.update, wiring),
        }

    def take_over(self) -> None:
        """Mark what was running when the process before died as interrupted; called once, before `run`."""
        self._wiring.backup_records.abandon(actor="system:backup")
        for orphan in self._wiring.jobs.interrupt():
            _log.warning("a job was interrupted", extra={"job": orphan.id, "kind": orphan.kind})

    def run(self, stop: threading.Event) -> None:
        """Do jobs until told to stop; several threads may."""
        while not stop.is_set():
            job = self._wiring.jobs.claim(self._name)
            if job is None:
                stop.wait(_IDLE_SECONDS)
                continue
            self.do(job)

    def do(self, job: Job) -> None:
        """Do one job; however it ends, the end is kept."""
        telling = JobTelling(self._wiring.jobs, job.id, self._wiring.clock)
        try:
            self._demand_space()
            result = self._doers[job.kind](job, telling)
        except LadingError as error:
            _log.info("a job failed", extra={"job": job.id, "kind": job.kind, "error": error.code})
            self._wiring.jobs.fail(job.id, error)
        except Exception as error:  # noqa: BLE001 - a fault in one job must not end the others
            _log.exception("a job failed unexpectedly", extra={"job": job.id, "kind": job.kind})
            fault = LadingError(f"The {job.kind} ended with a fault of Lading: {type(error).__name__}.")
            self._wiring.jobs.fail(job.id, fault)
        else:
            self._wiring.jobs.succeed(job.id, result)

    def _ship(self, job: Job, telling: JobTelling) -> dict[str, Any]:
        request = msgspec.convert(job.request, ShipRequest)
        return _plain(self._wiring.ships.ship(job.id, request, job.actor, telling))

    def _base(self, job: Job, telling: JobTelling) -> dict[str, Any]:
        return self._wiring.bases.make(msgspec.convert(job.request, BaseOrder), job.actor, telling)

    def _patch(self, job: Job, telling: JobTelling) -> dict[str, Any]:
        advisory, auto = str(job.request["advisory"]), bool(job.request["auto"])
        return _plain(self._wiring.patches.patch(job.id, advisory, auto=auto, actor=job.actor, telling=telling))

    def _remove(self, job: Job, telling: JobTelling) -> dict[str, Any]:
        name, why = str(job.request["application"]), str(job.request["why"])
        telling.step(f"Remove {name}")
        self._wiring.deployments.remove(name, why=why, actor=job.actor, say=telling.say)
        return {"outcome": "removed"}

    def _backup(self, job: Job, telling: JobTelling) -> dict[str, Any]:
        request = msgspec.convert(job.request, BackupOrder)
        backups = self._wiring.backups
        if request.work == "create":
            return backups.create(
                telling,
                actor=job.actor,
                telemetry=request.telemetry,
                full=request.full,
                new_repository=request.new_repository,
            )
        if request.work == "verify":
            return backups.verify(telling, actor=job.actor, read_data=request.read_data, backup=request.backup)
        return backups.drill(telling, actor=job.actor, backup=request.backup)

    def _copy(self, job: Job, telling: JobTelling) -> dict[str, Any]:
        order = msgspec.convert(job.request, CopyOrder)
        telling.step(f"Copy {order.source.image} to {order.target.image}")
        return _plain(self._wiring.copies.run(order, job.actor, telling.say))

    def _demand_space(self) -> None:
        settings = self._wiring.settings
        free = shutil.disk_usage(settings.data).free // 1_000_000
        if free < settings.min_free_megabytes:
            raise Unavailable(
                f"{settings.data} has only {free} MB free; new work needs {settings.min_free_megabytes} MB.",
                remedy="Free some space and run the same command again. Nothing was started.",
            )


def _plain(value: Any) -> dict[str, Any]:
    return dict(msgspec.to_builtins(value))
