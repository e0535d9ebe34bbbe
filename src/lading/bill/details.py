"""What the bill shows but facts do not carry: small ports, and an adapter that knows nothing."""

from __future__ import annotations

from typing import Any, Protocol


class Details(Protocol):
    """Details of images and workloads, as plain JSON values. Each may raise a LadingError; the bill then says why."""

    def findings(self, image: str) -> list[dict[str, Any]]:
        """Findings as policy documents, worst first."""
        ...

    def set_aside(self, image: str) -> list[dict[str, Any]]:
        """Findings that do not count because of what somebody says, which is in `vex`; worst first."""
        ...

    def stale_feeds(self) -> list[dict[str, Any]]:
        """`source`, `age_days` and `stale_days` of every advisory feed that is older than it should be."""
        ...

    def packages(self, image: str) -> dict[str, Any]:
        """`total`, `ecosystems` (name to count), `gaps` and `unspoken` (`ecosystem`, `packages`) of the inventory."""
        ...

    def weaknesses(self, image: str) -> list[dict[str, Any]]:
        """`severity`, `rule`, `message`, `file`, `line` and `owner` of each, worst first."""
        ...

    def lineage(self, image: str) -> dict[str, Any]:
        """`line`: what it is built on, and what that is built on (`digest`, `name`, `word`, `said`, `created`,
        `age_days`, `moved_to`, `moved_at`); `built_on_it`: how many images are built on it."""
        ...

    def layers(self, image: str) -> list[dict[str, Any]]:
        """`digest`, `size`, `team` and `origin` of each layer, lowest first."""
        ...

    def attestations(self, image: str) -> list[dict[str, Any]]:
        """`predicate_type`, `key_id`, `until` and `problem` (empty: it holds) of each."""
        ...

    def reports(self, image: str) -> list[dict[str, Any]]:
        """`tool`, `version`, `kind`, `said`, `at`, `current` of each report of another tool, oldest first."""
        ...

    def decisions(self, subjects: list[str]) -> list[dict[str, Any]]:
        """`id`, `stage`, `allowed`, `at`, `reasons` of the youngest decision of each stage and subject."""
        ...


class RuntimeDetails(Protocol):
    """Details of what runs."""

    def containers(self, workload: str) -> list[dict[str, Any]]:
        """`id`, `name`, `state`, `health`, `node`, `restarts`, `started` of each, youngest first."""
        ...

    def incidents(self, workload: str) -> list[dict[str, Any]]:
        """`id`, `severity`, `state`, `title`, `opened` of each, open ones first."""
        ...

    def logs(self, workload: str) -> list[dict[str, Any]]:
        """`at`, `container`, `stream`, `line` of the last lines."""
        ...

    def metrics(self, workload: str) -> list[dict[str, Any]]:
        """`container`, `cpu_percent`, `memory_mb`, `rx_kb_s`, `tx_kb_s`, `restarts`: the last of each container."""
        ...


class NoDetails:
    """Knows nothing of anything."""

    def findings(self, image: str) -> list[dict[str, Any]]:
        del image
        return []

    def set_aside(self, image: str) -> list[dict[str, Any]]:
        del image
        return []

    def stale_feeds(self) -> list[dict[str, Any]]:
        return []

    def packages(self, image: str) -> dict[str, Any]:
        del image
        return {}

    def weaknesses(self, image: str) -> list[dict[str, Any]]:
        del image
        return []

    def lineage(self, image: str) -> dict[str, Any]:
        del image
        return {"line": [], "built_on_it": 0}

    def layers(self, image: str) -> list[dict[str, Any]]:
        del image
        return []

    def attestations(self, image: str) -> list[dict[str, Any]]:
        del image
        return []

    def reports(self, image: str) -> list[dict[str, Any]]:
        del image
        return []

    def decisions(self, subjects: list[str]) -> list[dict[str, Any]]:
        del subjects
        return []

    def containers(self, workload: str) -> list[dict[str, Any]]:
        del workload
        return []

    def incidents(self, workload: str) -> list[dict[str, Any]]:
        del workload
        return []

    def logs(self, workload: str) -> list[dict[str, Any]]:
        del workload
        return []

    def metrics(self, workload: str) -> list[dict[str, Any]]:
        del workload
        return []
