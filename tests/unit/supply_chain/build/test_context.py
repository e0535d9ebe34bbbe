"""A source is packed to the same bytes every time, and nothing that is sent can reach out of its directory."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.supply_chain.build import context
from lading.supply_chain.build.context import SourceState, describe_source, pack_directory, unpack
from lading.supply_chain.build.errors import SourceInvalid


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def packed(directory: Path) -> list[str]:
    with pack_directory(directory) as archive, tarfile.open(archive.path) as tar:
        return tar.getnames()


def archive_with(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def test_the_same_files_give_the_same_digest_wherever_and_whenever(tmp_path: Path) -> None:
    digests = set()
    for number, name in enumerate(("one", "two")):
        directory = tree(tmp_path / name, Dockerfile="FROM scratch\n", web__app="x")
        os.utime(directory / "Dockerfile", (number * 1000, number * 1000))
        with pack_directory(directory) as archive:
            digests.add(archive.digest)
    assert len(digests) == 1


def test_a_changed_file_and_a_changed_executable_bit_change_the_digest(tmp_path: Path) -> None:
    directory = tree(tmp_path, a="1")
    found = []
    for change in (lambda: None, lambda: (directory / "a").write_text("2"), lambda: (directory / "a").chmod(0o755)):
        change()
        with pack_directory(directory) as archive:
            found.append(archive.digest)
    assert len(set(found)) == 3


def test_what_was_packed_comes_out_again(tmp_path: Path) -> None:
    directory = tree(tmp_path / "in", a="1", sub__b="2")
    (directory / "sub" / "link").symlink_to("../a")
    (directory / "run.sh").write_text("#!/bin/sh\n")
    (directory / "run.sh").chmod(0o755)
    with pack_directory(directory) as archive:
        unpack(archive.path, tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "link").read_text() == "1"
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("*.log", ["a.txt", "sub", "sub/a.log", "sub/b.txt"]),
        ("**/*.log", ["a.txt", "sub", "sub/b.txt"]),
        ("sub", ["a.log", "a.txt"]),
        ("/sub/", ["a.log", "a.txt"]),
        ("sub/**", ["a.log", "a.txt", "sub"]),
        ("*\n!a.txt", ["a.txt", "sub"]),
        ("# *.txt\n\n?.log", ["a.txt", "sub", "sub/a.log", "sub/b.txt"]),
        ("[a-c].txt", ["a.log", "sub", "sub/a.log", "sub/b.txt"]),
        ("[^b].txt", ["a.log", "sub", "sub/a.log", "sub/b.txt"]),
        ("a.*\n!a.log", ["a.log", "sub", "sub/a.log", "sub/b.txt"]),
    ],
)
def test_dockerignore_is_honoured(tmp_path: Path, patterns: str, expected: list[str]) -> None:
    directory = tree(
        tmp_path, a_DOT_log="", a_DOT_txt="", sub__a_DOT_log="", sub__b_DOT_txt="", _DOT_dockerignore=patterns
    )
    assert [name for name in packed(directory) if name != ".dockerignore"] == expected


def test_what_says_how_to_build_is_sent_even_if_ignored(tmp_path: Path) -> None:
    directory = tree(tmp_path, _DOT_dockerignore="*", Dockerfile="FROM scratch", compose_DOT_yaml="", other="")
    assert packed(directory) == [".dockerignore", "Dockerfile", "compose.yaml"]


def test_version_control_is_left_out(tmp_path: Path) -> None:
    assert packed(tree(tmp_path, _DOT_git__HEAD="x", a="1")) == ["a"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    directory = tree(tmp_path / "in", a="1")
    (directory / "link").symlink_to(target)
    with pytest.raises(SourceInvalid, match="leads out"), pack_directory(directory):
        pass


def test_a_link_that_leads_out_of_the_present_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tree(tmp_path / "in", a="1")
    (directory / "link").symlink_to("../outside")
    monkeypatch.chdir(directory)
    with pytest.raises(SourceInvalid, match="leads out"), pack_directory(Path()):
        pass


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceInvalid, match="neither file"), pack_directory(tmp_path):
        pass


def test_a_source_that_is_too_large_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_BYTES", 10)
    with pytest.raises(SourceInvalid, match="too large") as caught, pack_directory(tree(tmp_path, a="x" * 11)):
        pass
    assert ".dockerignore" in caught.value.remedy


@pytest.mark.parametrize(
    "hostile",
    [
        archive_with((entry("../escaped"), b"x")),
        archive_with((entry("/etc/escaped"), b"x"), (entry("a/../../escaped"), b"x")),
        archive_with((entry("link", tarfile.SYMTYPE, "/etc"), b""), (entry("link/escaped"), b"x")),
        archive_with((entry("link", tarfile.SYMTYPE, "../.."), b"")),
        archive_with((entry("hard", tarfile.LNKTYPE, "../../etc/passwd"), b"")),
        archive_with((entry("device", tarfile.CHRTYPE), b"")),
        archive_with((entry("pipe", tarfile.FIFOTYPE), b"")),
        archive_with((entry("/".join("d" * 200 for _ in range(40))), b"x")),
        b"not a tar archive at all" * 100,
    ],
)
def test_hostile_archives_are_refused_and_touch_nothing_outside(tmp_path: Path, hostile: bytes) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_bytes(hostile)
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    with pytest.raises(SourceInvalid):
        unpack(archive, into)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(into)]
    assert outside == [archive]
    assert not Path("/etc/escaped").exists()


def test_an_archive_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_FILES", 2)
    archive = tmp_path / "archive.tar"
    archive.write_bytes(archive_with(*((entry(name), b"") for name in "abc")))
    with pytest.raises(SourceInvalid, match="too much"):
        unpack(archive, tmp_path / "into")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(position=st.integers(0, 2999), value=st.integers(0, 255), cut=st.integers(0, 3000))
def test_a_damaged_archive_is_read_or_refused(tmp_path: Path, position: int, value: int, cut: int) -> None:
    whole = bytearray(
        archive_with((entry("a"), b"1"), (entry("b/c"), b"2" * 600), (entry("l", tarfile.SYMTYPE, "a"), b""))
    )
    whole[position] = value
    archive, into = tmp_path / "archive.tar", tmp_path / "into"
    archive.write_bytes(bytes(whole[: cut or None]))
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    with contextlib.suppress(SourceInvalid):
        unpack(archive, into)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive.tar", "into"]


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_and_changes_after_it_are_told(tmp_path: Path) -> None:
    tree(tmp_path, a="1")
    assert describe_source(tmp_path) == SourceState()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    clean = describe_source(tmp_path)
    assert (len(clean.commit), clean.dirty) == (40, False)
    (tmp_path / "a").write_text("2")
    assert describe_source(tmp_path) == SourceState(clean.commit, dirty=True)
