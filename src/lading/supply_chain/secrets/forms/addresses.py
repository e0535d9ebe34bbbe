"""Passwords in addresses, wherever they stand: of databases, of repositories, in `.git-credentials` and `.netrc`."""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.form import Candidate, Form
from lading.supply_chain.secrets.forms.writing import kind
from lading.supply_chain.secrets.plausibility import placeholder, weak

_CHANGE: Final = "Change the password, and hand it over when the container starts."
_USE_MOUNT: Final = "Change it, and use a secret mount of the build (`RUN --mount=type=secret`) in its place."
_DATABASES: Final = (
    rb"postgres(?:ql)?|mysqlx?|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|neo4j|bolt"
    rb"|ldaps?|nats|kafka|cassandra|db2|snowflake|couchbases?|memcached"
)
_OTHERS: Final = rb"https?|ftps?|sftp|ssh|git(?:\+https?)?|wss?|smtps?|imaps?"
_PART: Final = rb"[^\s:/@\"'<>\\]"
_PASSWORD: Final = rb"(?P<value>" + _PART + rb"{4,120})"
_HOST: Final = rb"@(?P<host>[0-9A-Za-z_.\[-][0-9A-Za-z_.:\]-]{2,200})"
_EXAMPLE_HOST: Final = re.compile(
    rb"(?:^|\.)(?:example|test|invalid|host|hostname|domain|foo|bar)(?:\.[a-z]{2,3})?(?::|$)", re.IGNORECASE
)
_NETRC: Final = rb"machine\s{1,8}(%s[^\s]{1,80})\s{1,8}login\s{1,8}[^\s]{1,80}\s{1,8}password\s{1,8}"


def _real(candidate: Candidate) -> bool:
    value, host = candidate.value, candidate.match["host"]
    return not (placeholder(value) or weak(value) or _EXAMPLE_HOST.search(host)) and len(set(value)) >= 4


def _address(identity: str, title: str, schemes: bytes, user: bytes) -> Form:
    before = rb"(?i:" + schemes + rb")://" + user + rb":"
    return Form(
        kind=kind(identity, title, Severity.HIGH, _CHANGE),
        trigger=before + _PART + rb"{4,120}@",
        pattern=re.compile(before + _PASSWORD + _HOST),
        genuine=_real,
        back=400,
    )


FORMS: Final = (
    _address(
        "database-url",
        "Password in the address of a database",
        rb"(?:" + _DATABASES + rb")(?:\+[a-z0-9]{1,20})?",
        _PART + rb"{0,80}",
    ),
    _address("url-password", "Password in an address", _OTHERS, _PART + rb"{1,80}"),
    Form(
        kind=kind("netrc-login", "Login in a file for curl, Git or another", Severity.HIGH, _USE_MOUNT),
        trigger=_NETRC % b"",
        pattern=re.compile(_NETRC % b"?P<host>" + rb"(?P<value>[^\s]{4,400})"),
        genuine=_real,
        back=400,
    ),
)
