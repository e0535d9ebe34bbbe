"""Long work with a memory: what was asked, how far it got, how it ended.

A job is durable before it is acknowledged. A worker claims it, reports events that clients follow, and finishes it; a
worker that dies leaves a claim that the next one takes over or marks as interrupted.
"""

from lading.jobs.job import Event, Job, JobState
from lading.jobs.queue import Jobs

__all__ = ["Event", "Job", "JobState", "Jobs"]
