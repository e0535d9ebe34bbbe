"""What every store of blobs and uploads must do: in memory, in a directory, in an S3-compatible object store."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import obstore
import pytest

from lading.kernel.digest import Digest
from lading.kernel.ids import new_id
from lading.state import Database, metadata
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.blobs_object_store import ObjectStoreBlobs
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.content_object_store import ObjectStoreContent
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    DigestInvalid,
    RangeInvalid,
    RegistryError,
    StorageFailed,
    UploadBusy,
    UploadUnknown,
)
from lading.supply_chain.registry.registry import Storage
from s3_server import BUCKET, s3_options

CONTENT = os.urandom(300_000)
DIGEST = Digest.of(CONTENT)


@pytest.fixture(
    params=["memory", "directory", "moto", "versitygw", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Storage, Callable[[], Content]]:
    """A store, and how another process would open it to read."""
    if request.param == "memory":
        memory = MemoryBlobs()
        return memory, lambda: memory
    if request.param == "directory":
        return DirectoryBlobs(tmp_path), lambda: DirectoryContent(tmp_path)
    on_postgres = request.param == "postgresql"
    options = s3_options(request.getfixturevalue("s3_endpoint" if on_postgres else f"{request.param}_endpoint"))
    url = f"s3://{BUCKET}/{new_id()}"
    state = open_state(request.getfixturevalue("postgres_url") if on_postgres else f"sqlite:///{tmp_path / 'state.db'}")
    request.addfinalizer(state.close)
    return ObjectStoreBlobs(url, state, options), lambda: ObjectStoreContent(url, options)


def open_state(url: str) -> Database:
    database = Database(url)
    metadata.create_all(database.engine)
    return database


@pytest.fixture
def store(opened: tuple[Storage, Callable[[], Content]]) -> Storage:
    return opened[0]


def begin(store: Storage) -> str:
    upload = new_id()
    store.start(upload)
    return upload


def read(store: Content, digest: Digest, start: int = 0) -> bytes:
    with store.open(digest, start) as stream:
        return stream.read()


def test_what_was_put_is_read_whole_and_from_any_byte(opened: tuple[Storage, Callable[[], Content]]) -> None:
    store, reader = opened
    store.put(DIGEST, CONTENT)
    store.put(DIGEST, CONTENT)
    for content in (store, reader()):
        assert content.size(DIGEST) == len(CONTENT)
        assert read(content, DIGEST) == CONTENT
        assert read(content, DIGEST, 299_999) == CONTENT[299_999:]
        assert read(content, DIGEST, 300_000) == b""
        assert read(content, DIGEST, 400_000) == b""


def test_an_empty_blob_is_a_blob(store: Storage) -> None:
    empty = Digest.of(b"")
    assert store.finish(begin(store), empty) == 0
    assert store.size(empty) == 0
    assert read(store, empty) == b""


def test_what_is_not_there_is_unknown(store: Storage) -> None:
    assert store.size(DIGEST) is None
    assert store.delete(DIGEST) is False
    with pytest.raises(BlobUnknown):
        store.open(DIGEST)
    for attempt in (store.offset, store.cancel):
        with pytest.raises(UploadUnknown):
            attempt(new_id())


def test_a_deleted_blob_is_gone(store: Storage) -> None:
    store.put(DIGEST, CONTENT)
    assert store.delete(DIGEST) is True
    assert store.size(DIGEST) is None


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_chunks_become_a_blob_that_is_not_seen_before(store: Storage, algorithm: str) -> None:
    digest = Digest.of(CONTENT, algorithm)
    upload = begin(store)
    assert store.append(upload, CONTENT[:100_000], at=0) == 100_000
    assert store.append(upload, CONTENT[100_000:], at=100_000) == 300_000
    assert store.offset(upload) == 300_000
    assert store.size(digest) is None
    assert store.finish(upload, digest) == 300_000
    assert read(store, digest) == CONTENT
    with pytest.raises(UploadUnknown):
        store.offset(upload)


def test_a_large_blob_goes_through_in_parts(store: Storage) -> None:
    content = os.urandom(1 << 20) * 20
    upload = begin(store)
    store.append(upload, content, at=0)
    store.finish(upload, Digest.of(content))
    assert hashlib.sha256(read(store, Digest.of(content))).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("at", [0, 2, 4, 1 << 40])
def test_a_chunk_out_of_order_adds_nothing_and_says_where_to_go_on(store: Storage, at: int) -> None:
    upload = begin(store)
    store.append(upload, b"abc", at=0)
    with pytest.raises(RangeInvalid) as caught:
        store.append(upload, b"def", at=at)
    assert caught.value.offset == store.offset(upload) == 3
    assert store.finish(upload, Digest.of(b"abc")) == 3


def test_content_with_another_digest_is_never_kept(store: Storage) -> None:
    with pytest.raises(DigestInvalid):
        store.put(DIGEST, b"other")
    upload = begin(store)
    store.append(upload, b"other", at=0)
    with pytest.raises(DigestInvalid):
        store.finish(upload, DIGEST)
    assert store.size(DIGEST) is None
    assert store.size(Digest.of(b"other")) is None
    with pytest.raises(UploadUnknown):
        store.offset(upload)


def test_a_cancelled_upload_is_gone(store: Storage) -> None:
    upload = begin(store)
    store.cancel(upload)
    with pytest.raises(UploadUnknown):
        store.append(upload, b"abc", at=0)


def test_only_uploads_that_got_nothing_for_long_expire(store: Storage) -> None:
    upload = begin(store)
    assert store.expire(older_than=3_600) == 0
    assert store.offset(upload) == 0
    time.sleep(0.02)
    assert store.expire(older_than=0.01) == 1
    with pytest.raises(UploadUnknown):
        store.offset(upload)


def test_two_uploads_of_one_blob_at_once_both_succeed(store: Storage) -> None:
    uploads = [begin(store), begin(store)]
    errors: list[BaseException] = []

    def push(upload: str) -> None:
        try:
            for at in range(0, len(CONTENT), 50_000):
                store.append(upload, CONTENT[at : at + 50_000], at=at)
            store.finish(upload, DIGEST)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=push, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert read(store, DIGEST) == CONTENT


def test_writers_who_fight_over_one_upload_never_make_a_blob_of_other_bytes(store: Storage) -> None:
    """A second writer must not change bytes after they were hashed, nor write on into the finished blob."""
    chunks = [bytes([letter]) * 4_096 for letter in b"ab"]
    for _ in range(20):
        upload = begin(store)
        start = threading.Barrier(3)

        def write(chunk: bytes, upload: str = upload, start: threading.Barrier = start) -> None:
            start.wait()
            for at in (0, 4_096):
                try:
                    store.append(upload, chunk, at=at)
                except RegistryError:
                    continue

        def finish(upload: str = upload, start: threading.Barrier = start) -> None:
            start.wait()
            for digest in (Digest.of(chunks[0]), Digest.of(chunks[1])):
                try:
                    store.finish(upload, digest)
                except RegistryError:
                    continue

        threads = [threading.Thread(target=write, args=(chunk,)) for chunk in chunks]
        threads.append(threading.Thread(target=finish))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for chunk in chunks:
            if store.size(Digest.of(chunk)) is not None:
                assert read(store, Digest.of(chunk)) == chunk
                store.delete(Digest.of(chunk))


def test_an_upload_goes_on_in_another_process(tmp_path: Path) -> None:
    upload = begin(DirectoryBlobs(tmp_path))
    DirectoryBlobs(tmp_path).append(upload, CONTENT[:1_000], at=0)
    other = DirectoryBlobs(tmp_path)
    assert other.offset(upload) == 1_000
    other.append(upload, CONTENT[1_000:], at=1_000)
    assert other.finish(upload, DIGEST) == len(CONTENT)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_a_clear_error_and_leaves_no_half_state(small_disk: Path) -> None:
    store = DirectoryBlobs(small_disk)
    upload = begin(store)
    half = os.urandom(1 << 20)
    store.append(upload, half, at=0)
    with pytest.raises(StorageFailed, match="is full"):
        store.append(upload, os.urandom(2 << 20), at=len(half))
    assert store.offset(upload) == len(half)
    with pytest.raises(StorageFailed, match="is full"):
        store.put(Digest.of(half * 2), half * 2)
    assert store.size(Digest.of(half * 2)) is None
    assert store.finish(upload, Digest.of(half)) == len(half)
    assert [path.name for path in (small_disk / "uploads").iterdir()] == []


@pytest.fixture
def bucket(s3_endpoint: str, tmp_path: Path) -> Iterator[Callable[..., ObjectStoreBlobs]]:
    """Opens the same bucket and database again and again, as processes on several hosts do."""
    url, databases = f"s3://{BUCKET}/{new_id()}", list[Database]()

    def opened(endpoint: str = s3_endpoint) -> ObjectStoreBlobs:
        databases.append(open_state(f"sqlite:///{tmp_path / 'state.db'}"))
        return ObjectStoreBlobs(url, databases[-1], s3_options(endpoint))

    yield opened
    for database in databases:
        database.close()


def objects(store: ObjectStoreBlobs) -> list[str]:
    return sorted(str(item["path"]) for item in obstore.list(store._store).collect())


def test_an_upload_into_a_bucket_goes_on_and_ends_in_other_processes(bucket: Callable[..., ObjectStoreBlobs]) -> None:
    upload = begin(bucket())
    content = os.urandom(7 << 20)
    assert bucket().append(upload, content[:100], at=0) == 100
    assert bucket().append(upload, content[100 : 6 << 20], at=100) == 6 << 20
    last = bucket()
    assert last.offset(upload) == 6 << 20
    last.append(upload, content[6 << 20 :], at=6 << 20)
    assert bucket().finish(upload, Digest.of(content)) == len(content)
    assert read(bucket(), Digest.of(content)) == content
    assert len(objects(last)) == 1


def test_what_a_process_had_not_acknowledged_is_sent_again(bucket: Callable[..., ObjectStoreBlobs]) -> None:
    dying, other = bucket(), bucket()
    upload = begin(dying)
    dying.append(upload, CONTENT[:1_000], at=0)
    dying.append(upload, CONTENT[1_000:2_000], at=1_000, more=True)
    assert other.offset(upload) == 1_000
    other.append(upload, CONTENT[1_000:], at=1_000)
    with pytest.raises(RangeInvalid) as caught:
        dying.append(upload, CONTENT[2_000:], at=2_000)
    assert caught.value.offset == len(CONTENT)
    assert other.finish(upload, DIGEST) == len(CONTENT)
    assert read(other, DIGEST) == CONTENT


def test_of_two_processes_that_write_at_one_place_one_succeeds(bucket: Callable[..., ObjectStoreBlobs]) -> None:
    first, second = bucket(), bucket()
    upload = begin(first)
    first.append(upload, b"a" * 10, at=0, more=True)
    second.append(upload, b"b" * 20, at=0, more=True)
    assert second.append(upload, b"", at=20) == 20
    with pytest.raises(RangeInvalid):
        first.append(upload, b"", at=10)
    assert second.finish(upload, Digest.of(b"b" * 20)) == 20
    first.expire(older_than=-1)
    assert len(objects(first)) == 1


def test_an_upload_of_very_many_tiny_chunks_is_kept_together(bucket: Callable[..., ObjectStoreBlobs]) -> None:
    store = bucket()
    upload = begin(store)
    for at in range(600):
        store.append(upload, CONTENT[at : at + 1], at=at)
    assert len(objects(store)) < 300
    assert bucket().finish(upload, Digest.of(CONTENT[:600])) == 600
    assert len(objects(store)) == 1


def test_a_request_that_failed_half_way_is_sent_again_from_what_is_kept(
    bucket: Callable[..., ObjectStoreBlobs],
) -> None:
    store = bucket()
    upload = begin(store)
    store.append(upload, b"lost", at=0, more=True)
    assert store.offset(upload) == 0
    assert store.append(upload, b"kept", at=0) == 4
    assert store.finish(upload, Digest.of(b"kept")) == 4


def test_an_upload_survives_an_object_store_that_fails(bucket: Callable[..., ObjectStoreBlobs]) -> None:
    store, broken = bucket(), bucket("http://127.0.0.1:9")
    upload = begin(store)
    store.append(upload, CONTENT[:1_000], at=0)
    for attempt in (
        lambda: broken.append(upload, CONTENT[1_000:], at=1_000),
        lambda: broken.finish(upload, DIGEST),
        lambda: broken.size(DIGEST),
        lambda: broken.open(DIGEST),
    ):
        with pytest.raises(StorageFailed, match="object store"):
            attempt()
    assert store.append(upload, CONTENT[1_000:], at=1_000) == len(CONTENT)
    with pytest.raises(StorageFailed, match="object store"):
        broken.finish(upload, DIGEST)
    assert store.finish(upload, DIGEST) == len(CONTENT)
    assert read(store, DIGEST) == CONTENT
    store.expire(older_than=-1)
    assert len(objects(store)) == 1


def test_who_waited_for_an_upload_does_not_write_into_the_blob_that_it_became(tmp_path: Path) -> None:
    store = DirectoryBlobs(tmp_path)
    upload = begin(store)
    store.append(upload, b"abc", at=0)
    path, blob = tmp_path / "uploads" / upload, tmp_path / "blob"
    caught: list[Exception] = []

    def late() -> None:
        try:
            store.append(upload, b"evil", at=3)
        except RegistryError as error:
            caught.append(error)

    with path.open("rb") as finishing:
        fcntl.flock(finishing, fcntl.LOCK_EX)
        writer = threading.Thread(target=late)
        writer.start()
        writer.join(0.2)
        path.rename(blob)
    writer.join()
    assert blob.read_bytes() == b"abc"
    assert [type(error) for error in caught] == [UploadUnknown]


def test_a_writer_who_holds_an_upload_makes_others_fail_soon(tmp_path: Path) -> None:
    store = DirectoryBlobs(tmp_path)
    upload = begin(store)
    with (tmp_path / "uploads" / upload).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UploadBusy):
            store.append(upload, b"abc", at=0)
    assert store.append(upload, b"abc", at=0) == 3


def test_many_go_at_once_and_what_is_not_there_is_passed_over(opened: tuple[Storage, Callable[[], Content]]) -> None:
    store, reader = opened
    contents = [bytes([number]) * 10 for number in range(5)]
    for content in contents:
        store.put(Digest.of(content), content)
    store.delete_many([Digest.of(content) for content in contents[:3]] + [Digest.of(b"never there")])
    store.delete_many([])
    assert dict(store.all()) == {Digest.of(content): 10 for content in contents[3:]}
    assert [reader().size(Digest.of(content)) for content in contents] == [None] * 3 + [10] * 2
