"""Every rule about Dockerfiles with what breaks it, on which lines, and with what does not."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lading.supply_chain.checks.dockerfile.file import read_build_file
from lading.supply_chain.checks.dockerfile.rules import CHECKS

DIGEST = "sha256:" + "0" * 64


class Row(NamedTuple):
    lines: list[int]
    bad: str
    good: str
    has_ignore_file: bool | None = None


BY_RULE = {one.rule.id: one for one in CHECKS}
ROWS = {
    "dockerfile-image-without-version": Row(
        [1, 2, 3, 5],
        "FROM debian\nFROM debian:latest AS x\nFROM registry.example:5000/a\nCOPY --from=x / /\nCOPY --from=nginx / /\n",
        f"ARG TAG\nFROM debian:12\nFROM debian@{DIGEST} AS x\nFROM x\nFROM a:${{TAG}}\nFROM scratch\nCOPY --from=0 / /\n",
    ),
    "dockerfile-image-without-digest": Row(
        [2, 3],
        "ARG BASE=debian:12\nFROM $BASE\nRUN --mount=type=bind,from=a/b:1,target=/x true\n",
        f"FROM debian:12@{DIGEST}\nFROM debian\nFROM scratch\n",
    ),
    "dockerfile-stage-unknown": Row(
        [2, 3, 4],
        "FROM a AS one\nCOPY --from=7 / /\nCOPY --from=two / /\nCOPY --from=one / /\nFROM b AS two\n",
        "FROM a AS one\nFROM b\nCOPY --from=one / /\nCOPY --from=0 / /\nCOPY --from=image:1 / /\n",
    ),
    "dockerfile-user-root": Row(
        [4],
        "FROM a AS base\nRUN x\nUSER app\nUSER 0:0\nFROM base\nRUN y\n",
        "FROM a\nUSER root\nRUN x\nUSER app\nONBUILD USER root\n",
    ),
    "dockerfile-user-missing": Row(
        [3],
        "FROM a AS build\nUSER app\nFROM b:1\nCOPY --from=build / /\n",
        "FROM a AS base\nUSER 1000\nFROM base\nRUN x\n",
    ),
    "dockerfile-health-check-missing": Row([1], "FROM a\nCMD [\"x\"]\n", "FROM a\nHEALTHCHECK CMD x\n"),
    "dockerfile-ssh-server": Row(
        [2, 3],
        "FROM a\nEXPOSE 80 22/tcp\nRUN apt-get install -y openssh-server\n",
        "FROM a\nEXPOSE 2222 8022\nRUN apt-get install -y openssh-client\n",
    ),
    "dockerfile-entrypoint-shell-form": Row(
        [2], "FROM a\nENTRYPOINT run --all\n", "FROM a\nENTRYPOINT run\nFROM b\nENTRYPOINT [\"run\", \"--all\"]\n"
    ),
    "dockerfile-instruction-overridden": Row(
        [2, 4], "FROM a\nCMD a\nRUN x\nENTRYPOINT a\nCMD b\nENTRYPOINT b\n", "FROM a AS one\nCMD a\nFROM one\nCMD b\n"
    ),
    "dockerfile-workdir-relative": Row(
        [2], "FROM a\nWORKDIR app\n", "FROM a\nWORKDIR /app\nWORKDIR \"/b\"\nWORKDIR $HOME\nWORKDIR C:\\\\x\n"
    ),
    "dockerfile-maintainer": Row([2], "FROM a\nMAINTAINER somebody\n", "FROM a\nLABEL maintainer=x\n"),
    "dockerfile-packages-upgraded": Row(
        [2, 3, 4, 6],
        "FROM a\nRUN apt-get -y dist-upgrade\nRUN apk upgrade\nRUN yum update -y\nRUN <<EOF\ndnf upgrade\nEOF\n",
        "FROM a\nRUN apt-get update && apt-get install -y x\nRUN yum update -y openssl\nRUN echo apt-get upgrade\n",
    ),
    "dockerfile-recommended-packages": Row(
        [3],
        "FROM a\nRUN apt-get update && \\\n    apt-get install -y curl\n",
        "FROM a AS b\nRUN apt-get install x\nFROM c\nRUN apt-get install -y --no-install-recommends x\n"
        "RUN apt-get -o APT::Install-Recommends=0 install x\n",
    ),
    "dockerfile-package-lists-left": Row(
        [2],
        "FROM a\nRUN apt-get update && apt-get install -y x\nRUN rm -rf /var/lib/apt/lists/*\n",
        "FROM a\nRUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*\n"
        "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install x\n",
    ),
    "dockerfile-update-alone": Row(
        [2, 4],
        "FROM a\nRUN apt-get update\nRUN apt-get install x\nRUN apk update\n",
        "FROM a\nRUN apt-get update && apt-get install x\nRUN apk update && apk add x\n",
    ),
    "dockerfile-add-remote": Row(
        [2, 3],
        "FROM a\nADD https://user:word@files.example/x /x\nADD git@host.example:a/b.git /x\n",
        f"FROM a\nADD --checksum={DIGEST} https://files.example/x /x\nADD https://host.example/a.git#{'0' * 40} /x\nADD x.tgz /\n",
    ),
    "dockerfile-add-instead-of-copy": Row(
        [2], "FROM a\nADD src /src\n", "FROM a\nCOPY src /src\nADD x.tar.gz /\nADD https://files.example/x /\nADD $X /\n"
    ),
    "dockerfile-download-run": Row(
        [3, 4, 5, 6, 8],
        "FROM a\nRUN true \\\n && curl -fsSL https://x.example | tee log | sudo -E bash -s -- -y\n"
        "RUN sh -c \"$(wget -qO- https://x.example)\"\nRUN bash <(curl https://x.example)\n"
        "RUN [\"sh\", \"-c\", \"curl https://x.example | sh\"]\nRUN <<EOF\neval `curl https://x.example`\nEOF\n",
        "FROM a\nRUN curl -o x https://x.example && sha256sum -c x.sum && sh x\nRUN curl https://x.example | tar xz\n"
        "RUN cat x | sh\nRUN echo 'curl https://x.example | sh'\n",
    ),
    "dockerfile-download-unverified": Row(
        [2, 3, 4, 5, 6, 7, 8],
        "FROM a\nRUN curl -fskL https://x.example -o x\nRUN wget --no-check-certificate https://x.example\n"
        "RUN apt-get install -y --allow-unauthenticated x\nRUN pip install --trusted-host x.example y\n"
        "RUN git -c http.sslVerify=false clone https://x.example\nRUN echo 'deb [trusted=yes] https://x.example' > l\n"
        "ENV NODE_TLS_REJECT_UNAUTHORIZED=0\n",
        "FROM a\nRUN curl -fsSL https://x.example -o k\nRUN tar -k x\nRUN pip install x\nENV NODE_TLS_REJECT_UNAUTHORIZED=1\n",
    ),
    "dockerfile-download-without-tls": Row(
        [2], "FROM a\nRUN wget http://x.example/y\n", "FROM a\nRUN wget https://x.example/y\nRUN curl http://localhost/\n"
    ),
    "dockerfile-world-writable": Row(
        [2, 3, 4],
        "FROM a\nRUN chmod -R 777 /x\nRUN chmod a+rwx /x\nCOPY --chmod=666 x /x\n",
        "FROM a AS b\nRUN chmod 777 /x\nFROM c\nRUN chmod 1777 /tmp && chmod 755 /x && chmod g+w,o-w /x\n",
    ),
    "dockerfile-setuid": Row(
        [2, 3, 4],
        "FROM a\nRUN chmod u+s /x\nRUN chmod 4755 /x\nRUN install -m 2755 x /x\n",
        "FROM a\nRUN chmod u-s /x && chmod 0755 /x && chmod +x /s\n",
    ),
    "dockerfile-sudo": Row(
        [2, 3], "FROM a\nRUN apt-get install sudo\nRUN sudo make\n", "FROM a\nRUN echo sudo\nRUN rm -f /etc/sudoers\n"
    ),
    "dockerfile-build-insecure": Row(
        [2], "FROM a\nRUN --security=insecure x\n", "FROM a\nRUN --security=sandbox x\nRUN echo --security=insecure\n"
    ),
    "dockerfile-build-host-network": Row([2], "FROM a\nRUN --network=host x\n", "FROM a\nRUN --network=none x\n"),
    "dockerfile-secret-in-environment": Row(
        [2, 3, 5],
        "FROM a\nENV DB_PASSWORD=v4lue X=1\nENV apiKey v4lue\nARG TOKEN\nENV TOKEN=$TOKEN\n",
        "FROM a\nENV DB_PASSWORD=\nENV PASSWORD_FILE=/run/secrets/x TOKEN_TTL=5 PATH=/x\nENV SECRET_PUBLIC_KEY=x\n",
    ),
    "dockerfile-secret-in-argument": Row(
        [1, 3], "ARG NPM_TOKEN\nFROM a\nARG DB_PASSWORD=v4lue\n", "ARG VERSION=1\nFROM a\nARG TOKEN_FILE\n"
    ),
    "dockerfile-secret-in-cache": Row(
        [2],
        "FROM a\nRUN --mount=type=cache,target=/root/.ssh x\n",
        "FROM a\nRUN --mount=type=cache,target=/root/.cache x\nRUN --mount=type=secret,id=x,target=/root/.netrc x\n",
    ),
    "dockerfile-secret-file-copied": Row(
        [2, 3], "FROM a\nCOPY .env /app/\nADD keys/id_rsa /root/.ssh/\n", "FROM a\nCOPY .env.example /\nCOPY --from=0 .env /\n"
    ),
    "dockerfile-password-set": Row(
        [2, 3],
        "FROM a\nRUN echo 'root:v4lue' | chpasswd\nRUN useradd -p v4lue x\n",
        "FROM a\nRUN useradd -m x && passwd -l x\n",
    ),
    "dockerfile-context-unfiltered": Row([2], "FROM a\nCOPY . /app\n", "FROM a\nCOPY src /app\nCOPY --from=0 . /\n", False),
}  # fmt: skip


def found(rule: str, text: str, has_ignore_file: bool | None = None) -> list[int]:
    return sorted({spot.line for spot in BY_RULE[rule].check(read_build_file(text, has_ignore_file=has_ignore_file))})


def test_every_rule_has_a_row() -> None:
    assert set(ROWS) == set(BY_RULE)


@pytest.mark.parametrize("rule", ROWS)
def test_what_breaks_a_rule_is_found_on_its_line(rule: str) -> None:
    row = ROWS[rule]
    assert found(rule, row.bad, row.has_ignore_file) == row.lines


@pytest.mark.parametrize("rule", sorted(set(ROWS) - {"dockerfile-entrypoint-shell-form"}))
def test_what_keeps_a_rule_is_left_alone(rule: str) -> None:
    row = ROWS[rule]
    assert found(rule, row.good, row.has_ignore_file) == []


def test_of_several_stages_the_entrypoint_of_the_last_counts() -> None:
    assert found("dockerfile-entrypoint-shell-form", ROWS["dockerfile-entrypoint-shell-form"].good) == []


def test_a_health_check_that_is_turned_off_is_none() -> None:
    assert found("dockerfile-health-check-missing", "FROM a\nHEALTHCHECK NONE\n") == [2]


def test_no_message_shows_a_value() -> None:
    for rule, row in ROWS.items():
        file = read_build_file(row.bad, has_ignore_file=False)
        for one in CHECKS:
            for spot in one.check(file):
                assert "v4lue" not in spot.message, rule
                assert "word@" not in spot.message, rule


@pytest.mark.parametrize("known", [True, None])
def test_a_whole_directory_is_only_told_where_nothing_filters_it(known: bool | None) -> None:
    assert found("dockerfile-context-unfiltered", "FROM a\nCOPY . /app\n", known) == []


def test_the_escape_directive_and_comments_between_lines_keep_their_numbers() -> None:
    text = "# escape=`\nFROM a:1\nRUN x `\n    # not this\n\n    && chmod 777 /x\nONBUILD RUN chmod 777 /y\n"
    assert found("dockerfile-world-writable", text) == [6, 7]


def test_arguments_before_from_are_put_in() -> None:
    text = "ARG OS=debian\nARG VERSION\nFROM ${OS}\nFROM ${OS}:${VERSION:-12}\nFROM ${NONE}\n"
    assert found("dockerfile-image-without-version", text) == [3]
    assert found("dockerfile-image-without-digest", text) == [4]
