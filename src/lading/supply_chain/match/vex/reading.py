"""VEX documents to statements: OpenVEX 0.2 and CycloneDX 1.4 to 1.6, within bounds; what is not clear is refused.

A document is taken in as a whole or not at all: half of what somebody said may mean the opposite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from lading.kernel.clock import parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.supply_chain.match.errors import VexInvalid
from lading.supply_chain.match.vex.statement import Product, Scope, Statement, Status

MOST_BYTES: Final = 16 << 20
MOST_STATEMENTS: Final = 20_000
_MOST_PRODUCTS: Final = 5_000
_MOST_TEXT: Final = 2_000
_STATES: Final = {
    "not_affected": Status.NOT_AFFECTED,
    "false_positive": Status.NOT_AFFECTED,
    "resolved": Status.FIXED,
    "resolved_with_pedigree": Status.FIXED,
    "in_triage": Status.UNDER_INVESTIGATION,
    "exploitable": Status.AFFECTED,
}


def read_document(raw: bytes, *, scope: Scope, until: datetime, now: datetime) -> list[Statement]:
    """The statements of an OpenVEX or CycloneDX document.

    Args:
        scope: where they shall count, beside what the document says itself.
        until: when they end.

    Raises:
        VexInvalid: it is no such document, says `not_affected` without a reason, or does not say where it counts.
    """
    if len(raw) > MOST_BYTES:
        raise _wrong(f"it has more than {MOST_BYTES >> 20} MiB")
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(str(error)[:200]) from error
    if not isinstance(document, dict):
        raise _wrong("it is no JSON object")
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    if document.get("bomFormat") == "CycloneDX":
        found = _cyclonedx(document, digest, scope, timestamp(until), timestamp(now))
    elif "openvex" in _text(document.get("@context")):
        found = _openvex(document, digest, scope, timestamp(until), timestamp(now))
    else:
        raise _wrong("it is neither OpenVEX (@context) nor CycloneDX (bomFormat)")
    if not found:
        raise _wrong("it has no statement")
    return found


def _openvex(document: dict[str, Any], digest: str, scope: Scope, until: str, now: str) -> list[Statement]:
    identity, author = _text(document.get("@id")) or digest, _text(document.get("author"))
    if not author:
        raise _wrong("it does not say who its author is")
    dated = _moment(document.get("last_updated") or document.get("timestamp"), now)
    found = []
    for number, one in enumerate(_listed(document.get("statements")), 1):
        where = f"statement {number}"
        named = one.get("vulnerability")
        names = [_text(named)] if isinstance(named, str) else []
        if isinstance(named, dict):
            names = [_text(named.get("name")), *_texts(named.get("aliases"))]
        try:
            status = Status(_text(one.get("status")))
        except ValueError:
            raise _wrong(f"{where} has the status {_text(one.get('status'))[:60]!r}") from None
        products = [product for said in _listed(one.get("products"), str) for product in _products(said)]
        found.append(
            _statement(
                where,
                document=identity,
                names=names,
                status=status,
                author=author,
                until=until,
                scope=scope,
                made=_moment(one.get("timestamp"), dated),
                products=products,
                justification=_text(one.get("justification")),
                impact=_text(one.get("impact_statement")),
                action=_text(one.get("action_statement")),
            )
        )
    return found


def _products(said: Any) -> list[Product]:
    """A product of OpenVEX, or of its subcomponents; none when nothing in it names an image or a package."""
    if isinstance(said, str):
        said = {"@id": said}
    called = (_text(_object(said.get("identifiers")).get("purl")), _text(said.get("@id")))
    named = next((text for text in called if text.startswith("pkg:")), "")
    product = _product(named, _text(_object(said.get("hashes")).get("sha-256")))
    if product is None:
        return []
    parts = [inner for one in _listed(said.get("subcomponents"), str) for inner in _products(one)]
    if not parts or product.package:
        return [product]
    return [msgspec.structs.replace(product, package=part.package) for part in parts if part.package]


def _product(purl: str, sha256: str = "") -> Product | None:
    try:
        parsed = PackageUrl.parse(purl) if purl else None
    except InvalidInput:
        parsed = None
    if parsed is None or parsed.type in ("oci", "docker"):
        version = parsed.version if parsed else ""
        digest = version if version.startswith("sha256:") else f"sha256:{sha256}" if sha256 else ""
        if digest:
            try:
                return Product(image=str(Digest.parse(digest)))
            except InvalidInput:
                return None
        if parsed is None or version:
            return None
        return Product(
            repository=parsed.qualifier("repository_url") or "/".join(filter(None, (parsed.namespace, parsed.name)))
        )
    return Product(package=str(parsed))


def _cyclonedx(document: dict[str, Any], digest: str, scope: Scope, until: str, now: str) -> list[Statement]:
    metadata = _object(document.get("metadata"))
    identity = _text(document.get("serialNumber")) or digest
    dated = _moment(metadata.get("timestamp"), now)
    purls = _purls(document, metadata)
    found = []
    for number, one in enumerate(_listed(document.get("vulnerabilities")), 1):
        analysis = one.get("analysis")
        if not isinstance(analysis, dict) or not analysis.get("state"):
            continue
        where = f"vulnerability {number}"
        state = _text(analysis.get("state"))
        if state not in _STATES:
            raise _wrong(f"{where} has the state {state[:60]!r}")
        refs = [_text(target.get("ref")) for target in _listed(one.get("affects"))]
        products = [
            _product(purls.get(ref, ref))
            for ref in (ref.rpartition("#")[2] if ref.startswith("urn:cdx:") else ref for ref in refs)
        ]
        others = [_text(other.get("id")) for other in _listed(one.get("references"))]
        why = _text(analysis.get("justification")) or ("false_positive" if state == "false_positive" else "")
        found.append(
            _statement(
                where,
                document=identity,
                names=[_text(one.get("id")), *others],
                status=_STATES[state],
                author=_author(metadata),
                until=until,
                scope=scope,
                made=_moment(analysis.get("lastUpdated") or analysis.get("firstIssued"), dated),
                products=[product for product in products if product],
                justification=why,
                impact=_text(analysis.get("detail")),
                action=", ".join(_texts(analysis.get("response"))),
            )
        )
    return found


def _purls(document: dict[str, Any], metadata: dict[str, Any]) -> dict[str, str]:
    """Reference -> purl, of the components at the top and of the one that the document is about."""
    components = [*_listed(document.get("components")), *_listed([metadata.get("component") or {}])]
    return {_text(one.get("bom-ref")): _text(one.get("purl")) for one in components if one.get("purl")}


def _author(metadata: dict[str, Any]) -> str:
    people = [
        *_listed(metadata.get("authors")),
        *_listed([metadata.get("supplier") or {}, metadata.get("manufacture") or {}]),
    ]
    return next((name for one in people if (name := _text(one.get("name")) or _text(one.get("email")))), "not stated")


def _statement(where: str, *, names: Sequence[str], products: Sequence[Product], **said: Any) -> Statement:
    """One statement, when it says enough to be believed."""
    names = tuple(dict.fromkeys(name for name in names if name))
    if not names:
        raise _wrong(f"{where} names no vulnerability")
    if not products and not said["scope"]:
        raise _wrong(f"{where} ({names[0]}) does not say which image or package it is about")
    if said["status"] is Status.NOT_AFFECTED and not (said["justification"] or said["impact"]):
        raise _wrong(f"{where} ({names[0]}) says not_affected without a justification")
    if len(products) > _MOST_PRODUCTS:
        raise _wrong(f"{where} names more than {_MOST_PRODUCTS} products")
    made = Statement(id="", names=names, products=tuple(products), **said)
    content = msgspec.json.encode(msgspec.structs.replace(made, until=""))
    return msgspec.structs.replace(made, id=hashlib.sha256(content).hexdigest()[:16])


def _listed(value: Any, *also: type) -> list[Any]:
    """The objects of a list; anything else is none."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, (dict, *also)) for one in value):
        raise _wrong("a list in it does not hold objects")
    if len(value) > MOST_STATEMENTS:
        raise _wrong(f"a list in it has more than {MOST_STATEMENTS} entries")
    return value


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return " ".join(value.split())[:_MOST_TEXT] if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [text for one in value[:500] if (text := _text(one))] if isinstance(value, list) else []


def _moment(value: Any, otherwise: str) -> str:
    try:
        return timestamp(parse_timestamp(_text(value)))
    except (ValueError, InvalidInput):
        return otherwise


def _wrong(why: str) -> VexInvalid:
    return VexInvalid(
        f"The VEX document is refused: {why}.",
        remedy="Name products (a package's purl, or pkg:oci with the digest), or give --repository, --team or --image.",
    )
