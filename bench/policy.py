"""Policy figures: rules a second for both CEL engines, one whole decision, and what proving a token costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lading.facts import Ledger
from lading.identity.service import Identity
from lading.kernel.subject import Subject
from lading.policy.cel import CelEngine
from lading.policy.cel_google import GoogleCel
from lading.policy.cel_rust import RustCel
from lading.policy.decide import Policy
from lading.policy.document import canonical_document
from lading.policy.evaluate import evaluate
from lading.policy.explain import Explainer
from lading.policy.pack import default_pack, parse_pack
from lading.policy.replay import Replay
from lading.state import Database, metadata

FINDINGS = 300
RULES = 20
SUBJECT = Subject.parse("image:sha256:" + "a" * 64)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> list[dict[str, Any]]:
    """All rows, measured on this machine."""
    return [*_engines(), *_decisions(), *_tokens()]


def _row(name: str, value: float, unit: str, note: str, peer: str = "", ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": peer, "ratio": ratio, "note": note}


def _seconds(call: Callable[[], object], times: int) -> float:
    """The median of `times` runs, after one to warm up."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[times // 2]


def _document(refused: int) -> dict[str, Any]:
    findings = [
        {
            "id": f"CVE-2026-{number:05}",
            "aliases": [f"GHSA-{number}"],
            "severity": "high" if number < refused else "medium",
            "rank": 4 if number < refused else 3,
            "score": 7.5,
            "epss": 0.01,
            "kev": False,
            "package": f"package{number % 50}",
            "version": "1.0",
            "fixed": f"1.{number % 7}",
            "purl": f"pkg:deb/debian/package{number % 50}@1.0",
            "ecosystem": "Debian",
            "layer": "sha256:" + "1" * 64,
            "owner": "shop",
            "path": "var/lib/dpkg/status",
        }
        for number in range(FINDINGS)
    ]
    image = {"repository": "shop/web", "team": "shop", "gaps": [], "user": "1", "state": "quarantined", "signed": False}
    return {"environment": "production", "image": image, "findings": findings}


def _rules(count: int) -> bytes:
    rule = (
        "id: r{n}\ntitle: t\nstages: [deploy]\nseverity: high\nowner: o\neach: findings\nmessage: '{{it.id}}'\n"
        "deny: \"it.rank >= {rank} && it.fixed != '' && it.kev == false && it.epss < 0.5 && it.package != 'none{n}'\"\n"
    )
    return "---\n".join(rule.format(n=n, rank=6) for n in range(count)).encode()


def _engines() -> list[dict[str, Any]]:
    rows = []
    rates = {}
    engines: list[CelEngine] = [GoogleCel(), RustCel()]
    document, _ = canonical_document(_document(0))
    for engine in engines:
        pack = parse_pack({"bench.yaml": _rules(RULES)}, engine)
        seconds = _seconds(
            lambda pack=pack: evaluate(pack, "deploy", document, subject=SUBJECT, at=AT),  # type: ignore[misc]
            7,
        )
        rates[engine.name] = RULES * FINDINGS / seconds
        note = f"{RULES} rules of five clauses over {FINDINGS} findings take {seconds * 1000:.1f} ms"
        rows.append(_row(f"policy rules evaluated, {engine.name}", rates[engine.name], "rules/s", note))
    first, second = rates.values()
    rows[0] |= {"peer": "common-expression-language", "ratio": round(first / second, 2)}
    return rows


def _decisions() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'state.db'}")
        metadata.create_all(database.engine)
        policy = Policy(database, Ledger(), default_pack())
        document = _document(30)
        evaluated = _seconds(lambda: policy.judge("deploy", SUBJECT, document), 15)
        decided = _seconds(lambda: policy.decide("deploy", SUBJECT, document, actor="system:bench"), 15)
        decision = policy.recent(limit=1)[0]
        replay = Replay(database)
        explainer = Explainer(policy, replay)
        explained = _seconds(lambda: explainer.explain(decision.id), 5)
        replayed = _seconds(lambda: replay.replay(decision.id), 5)
        database.close()
    loaded = _seconds(default_pack, 5)
    rules = len(policy.pack.rules)
    return [
        _row(
            "policy decision evaluated",
            evaluated * 1e3,
            "ms",
            f"default pack of {rules}, {FINDINGS} findings, 30 refused",
        ),
        _row("policy decision kept", decided * 1e3, "ms", "the same, durable in SQLite with its inputs and evidence"),
        _row("policy decision explained", explained * 1e3, "ms", "with the smallest change, tried out and pruned"),
        _row("policy decision replayed", replayed * 1e3, "ms", "with the rules of then"),
        _row("policy pack loaded", loaded * 1e3, "ms", f"{rules} rules parsed, checked and compiled"),
    ]


def _tokens() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'state.db'}")
        metadata.create_all(database.engine)
        identity = Identity(database, Ledger())
        identity.create_team("bench", actor="system:bench")
        text = identity.create_robot("bench", "robot", actor="system:bench").text
        believed = _seconds(lambda: [identity.authenticate_token(text) for _ in range(1000)], 5) / 1000

        def asked() -> None:
            identity._authenticator.forget()
            identity.authenticate_token(text)

        verified = _seconds(asked, 50)
        identity.create_person("ada", "a lading of oranges", actor="system:bench")
        checked = _seconds(lambda: identity.authenticate_password("ada", "a lading of oranges"), 3)
        database.close()
    return [
        _row("token verified, believed for a second", believed * 1e6, "us", "form, checksum, hash, memory"),
        _row("token verified in the database", verified * 1e6, "us", "token, expiry, roles; once a second and token"),
        _row("password verified", checked * 1e3, "ms", "Argon2id, 64 MiB, 3 passes; two at once at most"),
    ]


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:<55} {row['value']:>14,.1f} {row['unit']:<8} {row['note']}")
