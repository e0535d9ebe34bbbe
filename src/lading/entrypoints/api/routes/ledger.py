"""The ledger: read, verify, sign."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query

from lading.bill.words import words
from lading.entrypoints.api.access import Caller, Parts, require
from lading.facts import Entry
from lading.identity import Operation
from lading.kernel.clock import timestamp
from lading.kernel.subject import Subject

router: Final = APIRouter(tags=["ledger"])


@router.get("/ledger")
def read_ledger(
    parts: Parts,
    caller: Caller,
    subject: str = "",
    kind: str = "",
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 50,
) -> list[dict[str, Any]]:
    """The youngest facts, youngest first, about a subject or of a kind if one is named."""
    require(parts, caller, Operation.READ)
    with parts.database.read() as tx:
        entries = parts.ledger.read(
            tx,
            after=after,
            limit=limit,
            kinds=[kind] if kind else None,
            subject=Subject.parse(subject) if subject else None,
            newest_first=True,
        )
    return [_row(entry) for entry in entries]


@router.post("/ledger/verify")
def verify_ledger(parts: Parts, caller: Caller) -> dict[str, Any]:
    """Recompute the chain and check every signed checkpoint against it."""
    require(parts, caller, Operation.READ)
    started = time.monotonic()
    verified = parts.checkpoints.verify(parts.keyring.own())
    return {
        "entries": verified.ledger.entries,
        "head": verified.ledger.head.hash.hex(),
        "checkpoints": verified.checkpoints,
        "seconds": time.monotonic() - started,
    }


@router.post("/ledger/checkpoint")
def sign_checkpoint(parts: Parts, caller: Caller) -> dict[str, Any]:
    """Sign the head now."""
    require(parts, caller, Operation.ADMIN)
    made = parts.checkpoints.sign(actor=caller.id)
    return {"seq": made.seq, "hash": made.hash.hex(), "key_id": made.key_id}


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": timestamp(entry.at),
        "kind": entry.fact.kind(),
        "subject": str(entry.subject),
        "actor": entry.actor,
        "words": words(entry.fact),
        "fact": msgspec.to_builtins(entry.fact),
    }
