"""Two workers on two hosts: one leads, the other goes on when it dies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.conftest import Server, until
from integration.hosts.conftest import Cluster
from integration.registry.conftest import MANIFEST, push_blob, simple_image
from lading.kernel.digest import Digest

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def leads(host: Server) -> bool:
    return "this process leads" in host.log.read_text()


def push_and_wait(cluster: Cluster, tag: str) -> str:
    """Push an image and wait for the decision that a worker makes; gives its id."""
    body, *contents = simple_image(tag)
    with cluster.http(cluster.hosts[0].push) as client:
        for content in contents:
            push_blob(client, "shop/judged", content)
        headers = {"Content-Type": MANIFEST}
        assert client.put(f"/v2/shop/judged/manifests/{tag}", content=body, headers=headers).status_code == 201
    name = f"/api/v1/images/shop/judged@{Digest.of(body)}"
    return str(until(lambda: cluster.hosts[0].client.get(name).get("decision") or None, 60))


def test_the_second_worker_judges_what_is_pushed_when_the_first_is_killed(new_cluster: Callable[[], Cluster]) -> None:
    cluster = new_cluster()
    cluster.host("push,api")
    cluster.login()
    first = cluster.host("worker")
    until(lambda: leads(first) or None)
    second = cluster.host("worker")
    assert push_and_wait(cluster, "one")
    assert not leads(second)
    first.kill()
    until(lambda: leads(second) or None)
    assert push_and_wait(cluster, "two")
    cluster.postgres.stop("fast")
    cluster.postgres.start()
    assert push_and_wait(cluster, "three")
