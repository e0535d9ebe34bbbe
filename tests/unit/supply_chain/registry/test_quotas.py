"""A team stores no more than it may, and the report says who holds what."""

from __future__ import annotations

import pytest

from lading.supply_chain.registry.errors import BlobUnknown, QuotaExceeded
from lading.supply_chain.registry.quotas import Quota, Quotas
from lading.supply_chain.registry.usage import report
from unit.supply_chain.registry.conftest import ROBOT, Bench


def test_a_push_beyond_the_quota_is_refused_and_leaves_nothing(each_bench: Bench) -> None:
    quotas = Quotas(each_bench.database, each_bench.ledger)
    first = each_bench.registry.put_blob("shop/web", b"x" * 600, ROBOT)
    quotas.set("shop", 1_000, actor="person:ada")
    with pytest.raises(QuotaExceeded, match="may store"):
        each_bench.registry.put_blob("shop/mail", b"y" * 600, ROBOT)
    with pytest.raises(QuotaExceeded):
        each_bench.registry.mount("shop/mail", first, "shop/web", ROBOT)
    with pytest.raises(BlobUnknown):
        each_bench.registry.blob_size("shop/mail", first)
    each_bench.registry.put_blob("shop/web", b"x" * 600, ROBOT)
    assert quotas.all() == [Quota(team="shop", used=600, most=1_000)]
    quotas.set("shop", -1, actor="person:ada")
    each_bench.registry.put_blob("shop/mail", b"y" * 600, ROBOT)
    assert quotas.all() == [Quota(team="shop", used=1_200, most=-1)]


def test_the_report_tells_shared_from_exclusive(each_bench: Bench) -> None:
    each_bench.image("same", tag="1")
    each_bench.image("same", tag="2", repository="shop/mail")
    each_bench.image("other", repository="shop/mail")
    found = report(each_bench.database)
    rows = {row.repository: row for row in found.repositories}
    assert rows["shop/web"].exclusive == 0
    assert 0 < rows["shop/mail"].exclusive < rows["shop/mail"].held
    assert (rows["shop/web"].tags, rows["shop/mail"].manifests) == (1, 2)
    assert found.deduplication > 1
    assert found.stored < found.held + 10_000
    assert [row.repository for row in report(each_bench.database, team="mail").repositories] == []
