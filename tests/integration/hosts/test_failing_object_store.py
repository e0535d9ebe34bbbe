"""An object store that fails at random: what was acknowledged is there, and nothing partial is ever served."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from fault_proxy import KINDS, FaultProxy
from integration.hosts.conftest import Cluster
from integration.registry.conftest import MANIFEST, make_manifest
from lading.kernel.digest import Digest

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def proxy(s3_endpoint: str) -> Iterator[FaultProxy]:
    made = FaultProxy(s3_endpoint)
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster(new_cluster: Callable[[], Cluster], proxy: FaultProxy) -> Cluster:
    made = new_cluster()
    made.host("push,pull,api", s3=proxy.address)
    made.login()
    return made


def push(client: httpx.Client, content: bytes, odd: list[str]) -> bool:
    """Push a blob in two chunks; whether it was acknowledged. A client that is told 503 gives up."""
    digest, half = Digest.of(content), len(content) // 2
    answer = client.post("/v2/shop/web/blobs/uploads/")
    for chunk, at in ((content[:half], 0), (content[half:], half)):
        if answer.status_code == 202:
            headers = {"Content-Range": f"{at}-{at + len(chunk) - 1}"}
            answer = client.patch(answer.headers["location"], content=chunk, headers=headers)
    if answer.status_code == 202:
        answer = client.put(f"{answer.headers['location']}?digest={digest}")
    if answer.status_code not in (201, 503):
        odd.append(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    return answer.status_code == 201


def test_no_acknowledged_blob_is_lost_and_no_partial_one_is_served(cluster: Cluster, proxy: FaultProxy) -> None:
    acknowledged: dict[Digest, bytes] = {}
    odd: list[str] = []
    failed = [0]

    def load(seed: int) -> None:
        numbers = random.Random(seed)
        with cluster.http(cluster.hosts[0].push, 180) as client:
            for _ in range(15):
                content = numbers.randbytes(numbers.choice((10, 5_000, 400_000, 6_000_000, 11_000_000)))
                if push(client, content, odd):
                    acknowledged[Digest.of(content)] = content
                else:
                    failed[0] += 1
            for digest, content in list(acknowledged.items())[-10:]:
                with suppress(httpx.RemoteProtocolError):  # cut off: the client knows that it is not all
                    answer = client.get(f"/v2/shop/web/blobs/{digest}")
                    if answer.status_code == 200 and answer.content != content:
                        odd.append(f"{digest} was served with other bytes")

    proxy.share = 0.25
    threads = [threading.Thread(target=load, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proxy.share = 0.0
    assert odd == []
    assert len(acknowledged) > 20
    assert all(proxy.seen[kind] > 0 for kind in KINDS)
    with cluster.http(cluster.hosts[0].push) as client:
        for digest, content in acknowledged.items():
            assert client.get(f"/v2/shop/web/blobs/{digest}").content == content


def test_a_store_that_is_down_is_an_error_that_says_to_come_back(cluster: Cluster, proxy: FaultProxy) -> None:
    layer = b"layer" * 1_000
    with cluster.http(cluster.hosts[0].push) as client:
        assert push(client, layer, [])
        config = b"{}"
        assert push(client, config, [])
        proxy.share, proxy.kinds = 1.0, ("error before",)
        for answer in (
            client.get(f"/v2/shop/web/blobs/{Digest.of(layer)}"),
            client.post(f"/v2/shop/web/blobs/uploads/?digest=sha256:{hashlib.sha256(b'x').hexdigest()}", content=b"x"),
            client.put(
                "/v2/shop/web/manifests/1", content=make_manifest(config, layer), headers={"Content-Type": MANIFEST}
            ),
        ):
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert answer.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
        proxy.share = 0.0
        answer = client.put(
            "/v2/shop/web/manifests/1", content=make_manifest(config, layer), headers={"Content-Type": MANIFEST}
        )
        assert answer.status_code == 201
