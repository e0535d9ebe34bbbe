"""The tree shows what may be pulled, whatever happens in which order, and nothing else."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.state.sealing import Sealer
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import StorageFailed
from lading.supply_chain.registry.mirroring.upstream import Upstream
from lading.supply_chain.registry.mirroring.upstreams import Upstreams
from lading.supply_chain.registry.states import State
from lading.supply_chain.registry.tree import layout
from lading.supply_chain.registry.tree.beat import BeatReader
from lading.supply_chain.registry.tree.files import TreeFiles

ROBOT = Visitor("robot:shop/ci", "shop")
PLATFORMS = ("linux/amd64", "linux/arm64")


def test_only_approved_content_is_there_and_blobs_are_the_files_of_the_store(kept: Any) -> None:
    digest = kept.bench.image(tag="1")
    kept.tick()
    assert not kept.manifest(digest).exists()
    assert not kept.tag("1").exists()
    kept.bench.move(digest, State.APPROVED)
    kept.tick()
    assert kept.manifest(digest).read_bytes() == kept.bench.registry.manifest(digest)
    assert kept.tag("1").resolve() == kept.manifest(digest)
    for layer in kept.bench.registry.layers(digest):
        assert kept.blob(layer.digest).samefile(kept.bench.blobs.path(layer.digest))
    assert json.loads(kept.everything()["shop/web/_list"]) == {"name": "shop/web", "tags": ["1"]}
    assert kept.differences() == []


def test_a_revoked_image_leaves_with_its_tags_and_blobs_and_says_what_replaces_it(each_kept: Any) -> None:
    kept = each_kept
    old, good = kept.bench.image("old", tag="1"), kept.bench.image("good", tag="2")
    shared = kept.bench.registry.layers(old)[0].digest
    also = kept.bench.image("old", annotations={"x": "y"})
    for digest in (old, good, also):
        kept.bench.move(digest, State.APPROVED)
    kept.tick()
    before = kept.everything()
    kept.bench.move(old, State.REVOKED, why="malware", replaced_by="shop/web:2")
    kept.tick()
    after = kept.everything()
    assert f"shop/web/_manifests/{old}.oci-manifest" in before
    assert f"shop/web/_manifests/{old}.oci-manifest" not in after
    assert "malware" in kept.refusal(old)
    assert "shop/web:2" in kept.refusal(old)
    assert kept.tag("1").read_bytes() == after[f"shop/web/_refused/{old}"]
    # Another image has the same layer; that one stays until it goes as well.
    assert (f"shop/web/_blobs/{shared}" in after) is (f"shop/web/_blobs/{shared}" in before)
    kept.bench.move(also, State.REVOKED)
    kept.tick()
    assert f"shop/web/_blobs/{shared}" not in kept.everything()
    assert kept.differences() == []


def test_a_revoked_image_names_the_one_that_its_tag_names_once_that_is_approved(kept: Any) -> None:
    old = kept.bench.image("old", tag="1")
    kept.bench.move(old, State.APPROVED)
    kept.bench.move(old, State.REVOKED, why="malware")
    kept.tick()
    assert "Ask its owner" in kept.refusal(old)
    new = kept.bench.image("new", tag="1")
    kept.tick()
    assert str(new) not in kept.refusal(old)
    kept.bench.move(new, State.APPROVED)
    kept.tick()
    assert f"shop/web:1@{new}" in kept.refusal(old)
    assert kept.tag("1").resolve() == kept.manifest(new)


def test_an_approval_that_ends_takes_the_image_out_without_any_fact(kept: Any) -> None:
    digest = kept.bench.image(tag="1")
    kept.bench.move(digest, State.APPROVED, until=kept.clock.now() + timedelta(hours=1))
    kept.tick()
    assert kept.manifest(digest).exists()
    kept.clock.advance(timedelta(hours=1))
    kept.tick()
    assert not kept.manifest(digest).exists()
    assert "expired" in kept.refusal(digest)


def test_an_index_goes_with_its_worst_member_and_takes_the_judged_one_along(kept: Any) -> None:
    amd, arm = kept.bench.image("amd"), kept.bench.image("arm")
    index = kept.bench.index(amd, arm, platforms=PLATFORMS, tag="1")
    kept.bench.move(index, State.APPROVED)
    kept.tick()
    assert kept.manifest(index, ending="oci-index").exists()
    assert kept.manifest(amd).exists()
    assert not kept.manifest(arm).exists()
    kept.bench.move(arm, State.REVOKED, why="malware")
    kept.tick()
    assert not kept.manifest(index, ending="oci-index").exists()
    assert "malware" in kept.refusal(index)
    assert kept.differences() == []


def test_what_refers_to_an_image_is_listed_and_comes_and_goes_with_it(kept: Any) -> None:
    digest = kept.bench.image(tag="1")
    kept.bench.move(digest, State.APPROVED)
    signature = kept.bench.artifact(b"{}", subject=kept.bench.subject(digest))
    kept.tick()
    assert kept.manifest(signature).exists()
    listed = kept.everything()[f"shop/web/_referrers/{digest}"]
    assert [one["digest"] for one in json.loads(listed)["manifests"]] == [str(signature)]
    kept.bench.registry.delete_manifest("shop/web", signature, ROBOT)
    kept.tick()
    assert not kept.manifest(signature).exists()
    assert json.loads(kept.everything()[f"shop/web/_referrers/{digest}"])["manifests"] == []
    kept.bench.move(digest, State.REVOKED)
    kept.tick()
    assert f"shop/web/_referrers/{digest}" not in kept.everything()
    assert kept.differences() == []


def test_tags_flip_and_go(kept: Any) -> None:
    one, two = kept.bench.image("one", tag="latest"), kept.bench.image("two")
    for digest in (one, two):
        kept.bench.move(digest, State.APPROVED)
    kept.tick()
    kept.bench.push(json.loads(kept.bench.registry.manifest(two)), tag="latest")
    kept.tick()
    assert kept.tag("latest").resolve() == kept.manifest(two)
    kept.bench.registry.delete_tag("shop/web", "latest", ROBOT)
    kept.tick()
    assert not os.path.lexists(kept.tag("latest"))
    for digest in (one, two):
        kept.bench.registry.delete_manifest("shop/web", digest, ROBOT)
    kept.tick()
    assert list(kept.everything()) == ["shop/web/_list"]


def test_tags_that_an_upstream_is_asked_for_are_left_to_the_pull_endpoint(kept: Any) -> None:
    digest = kept.bench.image(repository="far/web", tag="1")
    kept.bench.move(digest, State.APPROVED)
    kept.tick()
    assert kept.tag("1", "far/web").exists()
    upstreams = Upstreams(kept.bench.database, kept.bench.ledger, Sealer.generate(), kept.clock)
    far = Upstream(name="far", url="https://far.example", prefix="far", team="shop")
    upstreams.add(far, actor="person:ada")
    kept.tick()
    assert not os.path.lexists(kept.tag("1", "far/web"))
    assert kept.manifest(digest, "far/web").exists()
    assert kept.differences() == []


HOSTILE = (
    "a",
    "a/manifests",
    "a/manifests/b",
    "a/blobs",
    "a/blobs/sha256",
    "a/tags/list",
    "a/referrers",
    "v2",
    "b" * 255,
)


def test_repositories_with_hostile_names_never_meet(kept: Any) -> None:
    pushed = {}
    for name in HOSTILE:
        pushed[name] = kept.bench.image(name, repository=name, tag="manifests")
        kept.bench.move(pushed[name], State.APPROVED)
    kept.tick()
    for name, digest in pushed.items():
        assert kept.tag("manifests", name).resolve() == kept.manifest(digest, name)
    assert kept.differences() == []
    for name in ("..", "a/../b", "_served", "a/_tags", "a//b", "/a", "", "A", "b" * 256):
        with pytest.raises(LadingError):
            layout.repository(name)


def test_a_keeper_that_is_gone_for_a_while_takes_up_where_it_was(kept: Any) -> None:
    one, two = kept.bench.image("one", tag="1"), kept.bench.image("two", tag="2")
    for digest in (one, two):
        kept.bench.move(digest, State.APPROVED)
    kept.tick()
    kept.files.close()
    kept.bench.move(one, State.REVOKED, why="malware")
    again = TreeFiles(kept.root)
    assert again.open()
    keeper = kept.new_keeper(again)
    keeper.resume()
    assert BeatReader(kept.root, kept.clock).read().compared
    keeper.tick()
    assert not kept.manifest(one).exists()
    assert kept.manifest(two).exists()
    again.close()


def test_a_comparison_mends_whatever_was_done_to_the_files(kept: Any) -> None:
    digest = kept.bench.image(tag="1")
    kept.bench.move(digest, State.APPROVED)
    kept.tick()
    whole = kept.everything()
    hidden = kept.bench.image("hidden")
    kept.manifest(digest).unlink()
    kept.tag("1").unlink()
    kept.tag("strange tag").symlink_to("/etc/passwd")
    kept.manifest(hidden).write_bytes(kept.bench.registry.manifest(hidden))
    kept.blob(Digest.of(b"nobody's")).write_bytes(b"nobody's")
    (kept.manifest(digest).parent / "nonsense").write_bytes(b"")
    (kept.root / "_served/shop/web/_list").write_bytes(b"torn")
    gone = kept.root / "_served/long/gone/_tags"
    gone.mkdir(parents=True)
    (gone / "1").symlink_to("../_manifests/x")
    assert len(kept.differences()) >= 7
    kept.files.ask()
    kept.tick()
    assert kept.everything() == whole
    assert not gone.parent.exists()
    assert kept.differences() == []


def test_a_blob_that_was_collected_and_pushed_again_is_linked_again(kept: Any) -> None:
    digest = kept.bench.image(tag="1")
    kept.bench.move(digest, State.APPROVED)
    kept.tick()
    layer = kept.bench.registry.layers(digest)[0].digest
    content = kept.blob(layer).read_bytes()
    kept.bench.blobs.delete(layer)
    assert kept.blob(layer).read_bytes() == content
    kept.bench.registry.put_blob("shop/web", content, ROBOT)
    kept.files.ask()
    kept.tick()
    assert kept.blob(layer).samefile(kept.bench.blobs.path(layer))


def test_the_tree_counts_only_while_its_keeper_says_so(kept: Any) -> None:
    reader = BeatReader(kept.root, kept.clock)
    assert reader.is_fresh()
    kept.clock.advance(timedelta(seconds=2))
    assert not reader.is_fresh()
    kept.tick()
    assert reader.is_fresh()
    (kept.root / ".beat").unlink()
    (kept.root / ".beat").write_bytes(b'{"seq": ')
    assert not reader.is_fresh()
    assert not BeatReader(kept.root / "nowhere", kept.clock).is_fresh()


def test_a_tree_has_one_keeper_and_nobody_else_may_look_into_it(kept: Any) -> None:
    assert not TreeFiles(kept.root).open()
    assert kept.root.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StorageFailed, match="group"):
        TreeFiles(kept.root.parent / "other", "no-such-group").open()


def test_a_directory_of_others_is_left_alone(kept: Any, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir(mode=0o755)
    (others / "file").touch()
    with pytest.raises(StorageFailed, match="other things"):
        TreeFiles(others).open()
    assert others.stat().st_mode & 0o777 == 0o755
    (kept.root / "mine").touch()
    kept.files.close()
    kept.files.clear()
    assert [path.name for path in kept.root.iterdir()] == ["mine"]


def test_where_no_hard_link_can_be_had_blobs_are_pointed_to_and_manifests_copied(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    digest = kept.bench.image(tag="1")
    kept.bench.move(digest, State.APPROVED)
    kept.tick()
    layer = kept.bench.registry.layers(digest)[0].digest
    assert kept.blob(layer).readlink() == kept.bench.blobs.path(layer)
    assert not kept.manifest(digest).is_symlink()
    assert kept.tag("1").resolve() == kept.manifest(digest)
    assert kept.differences() == []
