"""What nginx served is counted once, and what it refused is a fact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.digest import Digest
from lading.supply_chain.registry import taking_in_log
from lading.supply_chain.registry.sql.tables import pulls, spool_cursors
from lading.supply_chain.registry.taking_in_log import PullLog

DIGEST = str(Digest.of(b"manifest"))


def line(number: int, status: str = "200", **more: str) -> str:
    said = {"id": f"{number:032x}", "at": f"{1_790_000_000 + number}.250", "status": status, "repository": "shop/web"}
    return json.dumps(said | {"digest": DIGEST, "visitor": "robot:shop", "address": "::1"} | more) + "\n"


@pytest.fixture
def log(bench: Any, tmp_path: Path) -> PullLog:
    return PullLog(tmp_path / "log", bench.database, bench.ledger, lambda _repository, _digest: "it is revoked")


def counted(bench: Any) -> list[tuple[str, int, str]]:
    with bench.database.read() as tx:
        return [(row.repository, row.times, row.last) for row in tx.execute(sa.select(pulls))]


def test_every_pull_is_counted_once_however_often_and_by_whom_the_log_is_read(
    bench: Any, log: PullLog, tmp_path: Path
) -> None:
    assert log.take_in() == 0
    path = tmp_path / "log"
    path.write_text(line(1) + line(2) + line(3)[:40])
    assert log.take_in() == 2
    assert log.take_in() == 0
    with path.open("a") as handle:
        handle.write(line(3)[40:])
    again = PullLog(path, bench.database, bench.ledger, lambda _repository, _digest: "")
    assert again.take_in() == 1
    assert log.take_in() == 0
    assert counted(bench) == [("shop/web", 3, "2026-09-21T14:13:23.250000Z")]


def test_a_refused_pull_is_a_fact_with_its_reason(bench: Any, log: PullLog, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(line(1, "403"))
    assert log.take_in() == 0
    facts = [entry.fact for entry in bench.facts() if isinstance(entry.fact, PullRefused)]
    assert facts == [PullRefused(digest=DIGEST, repository="shop/web", principal="robot:shop", reason="it is revoked")]


def test_a_log_that_was_rotated_or_emptied_is_read_from_its_beginning(
    bench: Any, log: PullLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_text(line(1) + line(2))
    log.take_in()
    path.rename(tmp_path / "log.1")
    path.write_text(line(3) + line(4))
    assert log.take_in() == 2
    monkeypatch.setattr(taking_in_log, "MOST_BYTES", 10)
    log.take_in()
    assert path.read_bytes() == b""
    path.write_text(line(5))
    assert log.take_in() == 1
    assert counted(bench)[0][1] == 5
    with bench.database.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(spool_cursors)).scalar() == 1


def test_lines_that_are_not_nginx_s_are_passed_over(bench: Any, log: PullLog, tmp_path: Path) -> None:
    strange = [
        "\n", "{}\n", "[1]\n", "\x00\xff\n", "x" * (1 << 20) + "\n",
        line(1, repository="../etc"), line(2, digest="sha256:x"), line(3, at="never"), line(4, at="1e300"), line(5, at="nan"),
    ]  # fmt: skip
    (tmp_path / "log").write_text("".join(strange) + line(9))
    assert log.take_in() == 1
    assert len(counted(bench)) == 1
