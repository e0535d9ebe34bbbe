"""How each upstream is, what came from it, and what is remarkable about its tags: for people and for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lading.kernel.clock import Clock
from lading.state import Database, Transaction
from lading.supply_chain.registry.mirroring.health import resting
from lading.supply_chain.registry.mirroring.sql import reading as sql
from lading.supply_chain.registry.mirroring.upstream import Upstream, all_upstreams

_MOST_SHOWN: Final = 20
_CIRCUITS: Final = ("closed", "open", "half-open")


class MirrorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream stands.

    `circuit` is closed (it is asked as always), open (it is left alone until `next_try`) or half-open (the next one
    tries). `quota_left` of `quota` requests are left in a window of `quota_window` seconds; -1: it never said.
    `waiting` and `running` count wishes, `tags` what came from it, `gone` those that it has no longer, `held` those
    that name something else there that is not approved here.
    """

    upstream: str
    url: str
    prefix: str
    enabled: bool
    standing: str
    circuit: str
    since: str
    failures: int
    next_try: str
    error: str
    quota: int
    quota_left: int
    quota_window: int
    waiting: int
    running: int
    tags: int
    gone: int
    held: int
    images: int
    bytes: int
    failed: int
    throttled: int
    lied: int
    synced: str
    sync_error: str
    problems: tuple[str, ...]


class MirrorStandings:
    """Reads how mirroring stands.

    Args:
        unnamed: the upstream that LADING_UPSTREAM names, if there is one.
    """

    def __init__(self, database: Database, clock: Clock, unnamed: Upstream | None = None) -> None:
        self._database = database
        self._clock = clock
        self._unnamed = [unnamed] if unnamed is not None else []

    def all(self) -> list[MirrorStatus]:
        """Every upstream: the one of the settings, and those that were added, by name."""
        with self._database.read() as tx:
            return [self._status(tx, item) for item in self._unnamed + all_upstreams(tx)]

    def metrics(self) -> list[str]:
        """Prometheus lines, in the text exposition format."""
        found = self.all()
        lines: list[str] = []
        for name, kind, meaning, values in (
            ("up", "gauge", "Whether an upstream answers.", [int(s.standing == "up") for s in found]),
            ("circuit", "gauge", "0: asked as always, 1: left alone, 2: tried again.",
             [_CIRCUITS.index(s.circuit) for s in found]),
            ("quota_left", "gauge", "Requests that an upstream still answers; -1: not said.",
             [s.quota_left for s in found]),
            ("wishes_open", "gauge", "Images that are wanted and not here yet.",
             [s.waiting + s.running for s in found]),
            ("tags_gone", "gauge", "Tags that an upstream has no longer.", [s.gone for s in found]),
            ("tags_held", "gauge", "Tags whose new image is not approved.", [s.held for s in found]),
            ("images_total", "counter", "Images that came.", [s.images for s in found]),
            ("bytes_total", "counter", "Bytes of blobs that came.", [s.bytes for s in found]),
            ("failures_total", "counter", "Times that an upstream failed.", [s.failed for s in found]),
            ("throttled_total", "counter", "Times that an upstream wanted to be asked later.",
             [s.throttled for s in found]),
            ("lies_total", "counter", "Times that an upstream served something else.", [s.lied for s in found]),
        ):  # fmt: skip
            lines += _metric(name, kind, meaning, [s.upstream for s in found], values)
        return lines

    def _status(self, tx: Transaction, upstream: Upstream) -> MirrorStatus:
        health = sql.health_row(tx, upstream.name)
        counts, wishes = sql.tag_counts(tx, upstream.name), sql.open_wishes(tx, upstream.name)
        values: dict[str, Any] = dict.fromkeys(
            ("failures", "images", "bytes", "failed", "throttled", "lied"), 0
        ) | dict.fromkeys(("quota", "quota_left", "quota_window"), -1)
        values |= {"standing": "up", "since": upstream.added, "next_try": "", "error": ""}
        if health is not None:
            values = {key: getattr(health, key) for key in values}
        return MirrorStatus(
            upstream=upstream.name,
            url=upstream.url,
            prefix=upstream.prefix,
            enabled=upstream.enabled,
            circuit=self._circuit(health),
            waiting=wishes.get("waiting", 0),
            running=wishes.get("running", 0),
            tags=int(counts.tags),
            gone=int(counts.gone),
            held=int(counts.held),
            synced=upstream.synced,
            sync_error=upstream.sync_error,
            problems=tuple(_problems(tx, upstream.name)),
            **values,
        )

    def _circuit(self, health: Any) -> str:
        if health is not None and resting(health, self._clock.now()):
            return "open"
        return "closed" if health is None or health.standing == "up" else "half-open"


def _problems(tx: Transaction, upstream: str) -> list[str]:
    tags = [
        f"{row.repository}:{row.tag} is gone at the upstream since {row.gone[:19]}"
        if row.gone
        else f"{row.repository}:{row.tag} is {row.digest} at the upstream: {row.held}"
        for row in sql.remarkable_tags(tx, upstream, _MOST_SHOWN)
    ]
    failed = [
        f"{row.repository} {row.reference}: {row.outcome}: {row.why}"
        for row in sql.failed_wishes(tx, upstream, _MOST_SHOWN)
    ]
    return tags + failed


def _metric(name: str, kind: str, meaning: str, upstreams: Sequence[str], values: Sequence[float]) -> list[str]:
    full = f"lading_mirror_{name}"
    rows = [f'{full}{{upstream="{upstream}"}} {value}' for upstream, value in zip(upstreams, values, strict=True)]
    return [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}", *rows]
