"""Whatever is asked of the two registry endpoints is answered, in the words of the specification, and within bounds."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.entrypoints.registry import conditions, content, warnings
from lading.entrypoints.registry.hot import HotAnswers
from lading.entrypoints.registry.pull import pull_app
from lading.entrypoints.registry.push import push_app
from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference, is_repository_name, is_tag
from lading.state import Database, metadata
from lading.state.freshness import Freshness
from lading.supply_chain.registry.access import FixedAuthenticator, Visitor
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.manifest import MOST_BYTES, OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.scopes import read_scopes, write_scope
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates

# The codes of the specification, and the one for a fault of ours.
CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
    "UNSUPPORTED", "TOOMANYREQUESTS",
}  # fmt: skip
BLOB = b"known"
KNOWN = Digest.of(BLOB)
LOGIN = b"Basic " + base64.b64encode(b"shop:lad_shop")


class Notes:
    def refused(self, digest: str, repository: str, principal: str, reason: str) -> None: ...

    def pulled(self, repository: str, digest: str) -> None: ...


class Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    taken: int


class Endpoints:
    """Push and pull over one registry that knows a blob, a manifest and an upload."""

    def __init__(self) -> None:
        database, clock = Database("sqlite://"), ManualClock()
        metadata.create_all(database.engine)
        ledger = Ledger(clock)
        states, authenticator = ImageStates(database, ledger, clock), FixedAuthenticator({"shop": ("lad_shop", "shop")})
        registry = Registry(database, ledger, MemoryBlobs(), states, clock)
        visitor = Visitor("robot:shop", "shop")
        registry.put_blob("shop/web", BLOB, visitor)
        part = {"mediaType": "text/plain", "digest": str(KNOWN), "size": len(BLOB)}
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part, "layers": [part]}
        self.manifest = registry.put_manifest(
            "shop/web", "1.0", OCI_MANIFEST, json.dumps(body).encode(), visitor
        ).digest
        self.upload = registry.start_upload("shop/web")
        self.database = database
        self.apps = (
            push_app(registry, authenticator),
            pull_app(Serving(database, registry, states), authenticator, Notes()),
            HotAnswers(push_app(registry, authenticator), Freshness(database, lambda _tx: 1)),
        )

    async def ask(self, number: int, scope: dict[str, Any], pieces: list[bytes], ending: str) -> Answer:
        """One request: its body in pieces, and then its end, the client's going, or no end at all."""
        sent: list[dict[str, Any]] = []
        taken = 0

        async def receive() -> dict[str, Any]:
            nonlocal taken
            taken += 1
            if taken <= len(pieces):
                more = taken < len(pieces) or ending != "end"
                return {"type": "http.request", "body": pieces[taken - 1], "more_body": more}
            if ending == "endless":
                return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}
            return {"type": "http.disconnect"} if pieces else {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        with suppress(ValueError):  # what the server under the application logs, after the answer
            await self.apps[number](scope, receive, send)
        start = sent[0]
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(start["status"], list(start.get("headers", [])), body, taken)


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Endpoints]:
    made = Endpoints()
    yield made
    made.database.close()


NAMES = st.sampled_from(
    ["shop/web", "shop/new", "mail/web", "UPPER", "..", "a//b", "a" * 300, "shop/web/blobs/x"]
) | st.text(st.characters(codec="utf-8"), max_size=12)
DIGESTS = st.sampled_from(
    [
        str(KNOWN),
        str(Digest.of(b"other")),
        str(Digest.of(BLOB, "sha512")),
        "sha256:" + "z" * 64,
        "md5:00",
        "sha256:",
        "",
    ]
) | st.text(st.characters(codec="utf-8"), max_size=10)
REFERENCES = DIGESTS | st.sampled_from(["1.0", "latest", "-x", "t" * 129, f"sha256-{KNOWN.hex}", "%00"])
NUMBERS = st.sampled_from(["0", "1", "-1", "9" * 30, "x", ""]) | st.integers().map(str)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["digest", "mount", "from", "n", "last", "artifactType", "tag", "x"]),
        DIGESTS | NUMBERS | NAMES | REFERENCES,
    ),
    max_size=3,
)
RANGES = st.tuples(
    st.sampled_from(["bytes=", "bytes ", "", "items="]), NUMBERS, st.sampled_from(["-", "", "--"]), NUMBERS
).map("".join)
HEADER_VALUES = RANGES | NUMBERS | DIGESTS | st.sampled_from([OCI_MANIFEST, OCI_INDEX, "*", '"x"', "chunked"])
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([
            "range", "content-range", "content-length", "content-type", "accept", "if-match", "if-none-match", "if-range",
            "host", "x-forwarded-proto",
        ]),
        HEADER_VALUES,
    ),
    max_size=4,
)  # fmt: skip
LOGINS = st.sampled_from([LOGIN, LOGIN, LOGIN, b"", b"Basic ///", b"Bearer x", b"Basic " + base64.b64encode(b"\xff")])
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"])
BODIES = st.lists(st.binary(max_size=200) | st.just(BLOB), max_size=3)


@st.composite
def paths(draw: st.DrawFn) -> str:
    name = draw(NAMES)
    return draw(
        st.sampled_from(["/v2/", "/v2", "/", "/v2/_catalog", f"/v2/{name}/tags/list", f"/v2/{name}/blobs/uploads/"])
        | REFERENCES.map(lambda reference: f"/v2/{name}/manifests/{reference}")
        | DIGESTS.map(lambda digest: f"/v2/{name}/blobs/{digest}")
        | DIGESTS.map(lambda digest: f"/v2/{name}/referrers/{digest}")
        | DIGESTS.map(lambda upload: f"/v2/{name}/blobs/uploads/{upload}")
        | st.just("/v2/shop/web/blobs/uploads/UPLOAD")
        | st.text(st.characters(codec="utf-8"), max_size=30).map(lambda text: "/" + text)
    )


def scope_of(
    method: str, path: str, query: list[tuple[str, str]], headers: list[tuple[str, str]], login: bytes
) -> dict[str, Any]:
    from urllib.parse import quote, urlencode

    made = [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers]
    if login:
        made.append((b"authorization", login))
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": quote(path).encode(), "query_string": urlencode(query).encode(), "root_path": "",
        "headers": made, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 5000),
    }  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(0, 2), method=METHODS, path=paths(), query=QUERIES, headers=HEADERS, login=LOGINS, pieces=BODIES,
    ending=st.sampled_from(["end", "gone", "end"]),
)  # fmt: skip
def test_every_request_is_answered_in_the_words_of_the_specification(
    endpoints: Endpoints, number: int, method: str, path: str, query: list[tuple[str, str]], headers: list[tuple[str, str]],
    login: bytes, pieces: list[bytes], ending: str,
) -> None:  # fmt: skip
    scope = scope_of(method, path.replace("UPLOAD", endpoints.upload), query, headers, login)

    answer = asyncio.run(endpoints.ask(number, scope, pieces, ending))

    assert 200 <= answer.status < 500, (scope, answer)
    if answer.status >= 400 and method != "HEAD" and answer.status not in (416, 499):
        errors = json.loads(answer.body)["errors"]
        assert errors and all(one["code"] in CODES for one in errors), answer
    for name, value in answer.headers:
        assert b"\n" not in name + value and b"\r" not in name + value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 2), method=METHODS, path=paths(), query=QUERIES, headers=HEADERS)
def test_no_request_makes_an_endpoint_read_without_end(
    endpoints: Endpoints,
    number: int,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: list[tuple[str, str]],
) -> None:
    """Uploads are the only bodies without a bound of their own; they are streamed to storage."""
    if "/uploads/" in path:
        return
    answer = asyncio.run(endpoints.ask(number, scope_of(method, path, query, headers, LOGIN), [], "endless"))

    assert answer.taken * 65_536 <= MOST_BYTES + 2 * 65_536
    assert answer.status < 500


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.binary(max_size=80) | RANGES.map(str.encode), st.integers(0, 1 << 40))
def test_a_range_lies_within_the_content_or_is_none(header: bytes, size: int) -> None:
    found = content._range({"headers": [(b"range", header)]}, size)
    if found is not None and 0 <= found[0] <= found[1]:
        assert found[1] < max(size, 1)


@given(TEXTS | DIGESTS.map(lambda digest: f'"{digest}", W/"x"'))
def test_conditions_hold_or_not_whatever_is_said(said: str) -> None:
    headers = [(name, said.encode()) for name in (b"if-match", b"if-none-match", b"if-range")]
    scope = {"headers": headers}
    assert conditions.is_known(scope, str(KNOWN)) in (True, False)
    assert conditions.range_counts(scope, str(KNOWN)) in (True, False)
    holds = conditions.condition(scope)
    if holds is not None:
        assert {holds(""), holds(str(KNOWN))} <= {True, False}


@given(st.lists(st.text(max_size=3_000), max_size=20))
def test_warnings_are_headers_within_their_bound(said: list[str]) -> None:
    values = warnings.warning_values(said)
    assert sum(map(len, values)) <= 4_096
    assert all(re.fullmatch(r'299 - "(?:[ -!#-\[\]-~]|\\["\\])*"', value) for value in values)


@given(TEXTS)
def test_a_reference_reads_back_as_it_is_written(text: str) -> None:
    with suppress(InvalidInput):
        reference = Reference.parse(text)
        assert Reference.parse(str(reference)) == reference
        assert is_repository_name(reference.path)


COMPONENTS = st.text("az09", min_size=1, max_size=3) | st.sampled_from(
    ["a.b", "a_b", "a__b", "a-b", "a---b", "0.1_2__3-4"]
)
NAME = st.lists(COMPONENTS, min_size=1, max_size=90).map("/".join)
TAG = st.tuples(st.sampled_from("aZ0_"), st.text("aZ0_.-", max_size=127)).map("".join)


@given(NAME, TAG, st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_the_grammar_of_the_specification_is_taken(name: str, tag: str, body: bytes, algorithm: str) -> None:
    assert is_repository_name(name) is (len(name) <= 255)
    assert is_tag(tag)
    digest = Digest.of(body, algorithm)
    assert Digest.parse(str(digest)) == digest
    if len(name) <= 255:
        assert Reference.parse(f"registry.example:5000/{name}:{tag}@{digest}").digest == digest


@given(TEXTS, TEXTS)
def test_what_breaks_the_grammar_is_refused(name: str, tag: str) -> None:
    grammar = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
    assert is_repository_name(name) is (re.fullmatch(grammar, name) is not None)
    assert is_tag(tag) is (re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", tag) is not None)
    with suppress(InvalidInput):
        assert str(Digest.parse(tag)) == tag


@given(st.lists(TEXTS | NAME.map(lambda name: f"repository:{name}:pull,push,x"), max_size=4))
def test_scopes_are_read_and_written_again(texts: list[str]) -> None:
    scopes = read_scopes(texts)
    assert len(scopes.repositories) <= 100
    for name, granted in scopes.repositories.items():
        assert is_repository_name(name)
        assert read_scopes([write_scope(name, granted)]).repositories[name] == granted
