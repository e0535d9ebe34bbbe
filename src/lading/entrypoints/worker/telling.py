"""A story told into the events of a job."""

from __future__ import annotations

from lading.jobs import Event, Jobs
from lading.kernel.clock import Clock


class JobTelling:
    """Writes what a story says as events of its job."""

    def __init__(self, jobs: Jobs, job: str, clock: Clock) -> None:
        self._jobs = jobs
        self._job = job
        self._clock = clock
        self._started = clock.monotonic()
        self._step = "Start"

    def step(self, name: str) -> None:
        self._step = name

    def say(self, text: str, level: str = "info") -> None:
        seconds = self._clock.monotonic() - self._started
        self._jobs.report(self._job, Event(n=0, step=self._step, text=text[:2_000], level=level, seconds=seconds))
