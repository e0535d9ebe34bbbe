"""What the senses tell, and what they keep to themselves."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.errors import ImageNotIndexed
from lading.runtime_security.sense.execs import sensed_exec
from lading.runtime_security.sense.files import MOST_PATHS, Change, FileSense, MemoryChanges, written
from lading.runtime_security.sense.image_files import ImageFile, MemoryImageFiles
from lading.runtime_security.sense.processes import ProcessSense
from lading.runtime_security.sense.redact import redact

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_exec_is_told_and_the_health_check_is_not(web: RunningContainer) -> None:
    event = sensed_exec(web, "/bin/sh -i ", NOW)
    assert event is not None
    assert (event.kind, event.detail) == ("exec", {"command": "/bin/sh -i", "program": "/bin/sh"})
    assert sensed_exec(web, "/bin/sh -c wget -q localhost", NOW) is None
    assert sensed_exec(web, "/bin/sh -c wget -q localhost; id", NOW) is not None


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("psql --password hunter2 -h db", "psql --password [redacted] -h db"),
        ("env PGPASSWORD=hunter2 psql", "env PGPASSWORD=[redacted] psql"),
        ("curl -H 'Authorization: Bearer abc.def' x", "curl -H 'Authorization: [redacted] x"),
        ("curl -u me:hunter2 https://x", "curl -u me:[redacted] https://x"),
        ("git clone https://me:hunter2@host/x", "git clone https://me:[redacted]@host/x"),
        ("login lad_0123456789abcdef", "login [redacted]"),
        ("x ghp_0123456789abcdef0123", "x [redacted]"),
        ("ls -la /etc/passwd", "ls -la /etc/passwd"),
        ("sh\x1b[2J\nid", "sh [2J id"),
    ],
)
def test_secrets_do_not_become_evidence(command: str, kept: str) -> None:
    assert redact(command) == kept


@given(st.text(max_size=500))
def test_redaction_never_fails_and_leaves_no_control_character(text: str) -> None:
    assert redact(text).isprintable()


def test_only_what_a_program_wrote_counts(web: RunningContainer) -> None:
    changes = [
        Change("/etc", "changed"),
        Change("/etc/hosts", "added"),
        Change("/etc/cron.d", "added"),
        Change("/etc/cron.d/job", "added"),
        Change("/dev", "changed"),
        Change("/dev/console", "added"),
        Change("/tmp", "changed"),
        Change("/tmp/cache", "added"),
        Change("/var", "changed"),
        Change("/var/lib", "changed"),
        Change("/var/lib/data", "added"),
        Change("/var/lib/data/volume", "added"),
        Change("/usr/bin/gone", "deleted"),
        Change("/tmpfile", "added"),
        Change("/.dockerenv", "added"),
    ]
    assert [one.path for one in written(changes, web)] == ["/etc/cron.d/job", "/usr/bin/gone", "/tmpfile"]


def test_each_changed_file_is_told_once(web: RunningContainer) -> None:
    source = MemoryChanges({web.id: [Change("/app", "changed"), Change("/app/x.py", "changed")]})
    files = MemoryImageFiles({web.image: {"/app/x.py": ImageFile("0" * 64, 1)}})
    sense = FileSense(source, files)
    events, lost = sense.look(web, NOW)
    assert [(one.what, one.detail) for one in events] == [
        ("changed /app/x.py", {"path": "/app/x.py", "change": "changed", "in_image": True})
    ]
    assert (sense.look(web, NOW), lost) == (([], 0), 0)
    source.of[web.id].append(Change("/new", "added"))
    assert [one.what for one in sense.look(web, NOW)[0]] == ["added /new"]


def test_a_changed_directory_is_no_written_file(web: RunningContainer) -> None:
    sense = FileSense(MemoryChanges({web.id: [Change("/var/log", "changed")]}), MemoryImageFiles({web.image: {}}))
    assert sense.look(web, NOW) == ([], 0)


def test_more_changes_than_may_be_told_are_counted(web: RunningContainer) -> None:
    changes = [Change(f"/f{n}", "added") for n in range(MOST_PATHS + 5)]
    events, lost = FileSense(MemoryChanges({web.id: changes}), MemoryImageFiles({web.image: {}})).look(web, NOW)
    assert (len(events), lost) == (MOST_PATHS, 5)


def test_without_the_files_of_the_image_nothing_is_told_as_clean(web: RunningContainer) -> None:
    sense = FileSense(MemoryChanges({web.id: [Change("/x", "added")]}), MemoryImageFiles({}))
    for _ in range(2):
        with pytest.raises(ImageNotIndexed):
            sense.look(web, NOW)


class Proc:
    """A proc file system in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.add(1, root / "init", namespace="pid:[1]", content=b"init")

    def add(self, pid: int, exe: Path, *, namespace: str, group: str = "/", content: bytes | None = None) -> None:
        if content is not None:
            exe.write_bytes(content)
        process = self.root / str(pid)
        (process / "ns").mkdir(parents=True)
        (process / "ns" / "pid").symlink_to(namespace)
        (process / "exe").symlink_to(exe)
        (process / "cgroup").write_text(f"0::{group}\n")
        (process / "cmdline").write_bytes(str(exe).encode() + b"\0--token\0hunter2\0")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    root = tmp_path / "proc"
    root.mkdir()
    return Proc(root)


def indexed(web: RunningContainer, **files: bytes) -> MemoryImageFiles:
    entries = {
        path: ImageFile(hashlib.sha256(content).hexdigest(), len(content))
        for path, content in ((f"{path}", content) for path, content in files.items())
    }
    return MemoryImageFiles({web.image: entries})


def test_programs_of_the_image_are_not_told_and_others_are_told_once(
    web: RunningContainer, proc: Proc, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    proc.add(4242, good, namespace="pid:[9]", group=f"/docker/{web.id}", content=b"good")
    proc.add(4243, bad, namespace="pid:[9]", content=b"bad")
    sense = ProcessSense(indexed(web, **{str(good): b"good"}), proc=proc.root)
    looked = sense.look([web], NOW)
    (event,) = looked.events
    assert (event.kind, event.detail["path"], event.detail["in_image"]) == ("program-started", str(bad), False)
    assert event.detail["command"] == f"{bad} --token [redacted]"
    assert event.detail["sha256"] == hashlib.sha256(b"bad").hexdigest()
    assert sense.look([web], NOW).events == []


def test_a_changed_program_is_told_with_its_reason(web: RunningContainer, proc: Proc, tmp_path: Path) -> None:
    proc.add(4242, tmp_path / "x", namespace="pid:[9]", content=b"changed!")
    sense = ProcessSense(indexed(web, **{str(tmp_path / "x"): b"original"}), proc=proc.root)
    (event,) = sense.look([web], NOW).events
    assert event.detail["reason"] == "the program was changed since the image was made"


def test_a_process_that_becomes_another_program_is_told(web: RunningContainer, proc: Proc, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_bytes(b"bad")
    proc.add(4242, good, namespace="pid:[9]", content=b"good")
    sense = ProcessSense(indexed(web, **{str(good): b"good"}), proc=proc.root)
    assert sense.look([web], NOW).events == []
    (proc.root / "4242" / "exe").unlink()
    (proc.root / "4242" / "exe").symlink_to(bad)
    assert len(sense.look([web], NOW).events) == 1


def test_a_process_in_namespaces_of_its_own_is_found_by_its_group(
    web: RunningContainer, proc: Proc, tmp_path: Path
) -> None:
    proc.add(4242, tmp_path / "good", namespace="pid:[9]", content=b"good")
    proc.add(5000, tmp_path / "bad", namespace="pid:[77]", group=f"/docker/{web.id}/x", content=b"bad")
    proc.add(5001, tmp_path / "host", namespace="pid:[78]", content=b"host")
    sense = ProcessSense(indexed(web, **{str(tmp_path / "good"): b"good"}), proc=proc.root)
    assert [one.detail["path"] for one in sense.look([web], NOW).events] == [str(tmp_path / "bad")]


def test_in_the_host_s_namespace_only_the_group_tells(web: RunningContainer, proc: Proc, tmp_path: Path) -> None:
    proc.add(4242, tmp_path / "bad", namespace="pid:[1]", group=f"/docker/{web.id}", content=b"bad")
    proc.add(50, tmp_path / "host", namespace="pid:[1]", content=b"host")
    looked = ProcessSense(indexed(web), proc=proc.root).look([web], NOW)
    assert [one.detail["path"] for one in looked.events] == [str(tmp_path / "bad")]


def test_programs_of_the_engine_are_expected_inside(web: RunningContainer, proc: Proc, tmp_path: Path) -> None:
    proc.add(4242, tmp_path / "runc", namespace="pid:[9]", content=b"runc")
    programs = frozenset({hashlib.sha256(b"runc").hexdigest()})
    assert ProcessSense(indexed(web), programs, proc=proc.root).look([web], NOW).events == []


def test_a_container_that_cannot_be_seen_is_said(web: RunningContainer, proc: Proc) -> None:
    looked = ProcessSense(indexed(web), proc=proc.root).look([web, web._replace(id="b" * 64, pid=0)], NOW)
    assert looked.events == []
    assert set(looked.blind) == {"a" * 64, "b" * 64}


def test_an_image_without_an_index_is_said_each_time(web: RunningContainer, proc: Proc, tmp_path: Path) -> None:
    proc.add(4242, tmp_path / "x", namespace="pid:[9]", content=b"x")
    sense = ProcessSense(MemoryImageFiles({}), proc=proc.root)
    for _ in range(2):
        assert "not known" in sense.look([web], NOW).blind[web.id]


def test_processes_that_may_not_be_read_are_said(web: RunningContainer, proc: Proc, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    proc.add(4242, tmp_path / "x", namespace="pid:[9]", content=b"x")
    (tmp_path / "x").chmod(0)
    assert web.id in ProcessSense(indexed(web), proc=proc.root).look([web], NOW).blind
