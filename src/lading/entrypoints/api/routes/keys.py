"""The keys whose signatures count."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.supply_chain.attest.keyring.sql import KnownKey
from lading.supply_chain.attest.keys_public import MOST_PEM
from lading.wiring import Wiring

router: Final = APIRouter(tags=["keys"])


class TrustBody(BaseModel):
    """Another's public key."""

    name: str = Field(max_length=64, description="What it is called here.")
    pem: str = Field(max_length=MOST_PEM, description="The public key as PEM.")


class RevokeKeyBody(BaseModel):
    """Why a key does not count any more."""

    why: str = Field(max_length=500)


@router.get("/keys")
def list_keys(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Every key that was ever known here, in the order in which they came; `signs` marks the one in use."""
    require(parts, caller, Operation.READ)
    return [_row(parts, key) for key in parts.keyring.all()]


@router.post("/keys", status_code=201)
def trust_key(parts: Parts, caller: Caller, body: TrustBody) -> dict[str, Any]:
    """Let signatures by a key count, as far as the rules of stage `verify` let it sign."""
    require(parts, caller, Operation.ADMIN)
    return _row(parts, parts.keyring.trust(body.pem, name=body.name, actor=caller.id))


@router.post("/keys/{key}/revoke")
def revoke_key(parts: Parts, caller: Caller, key: str, body: RevokeKeyBody) -> dict[str, Any]:
    """Let no signature by a key count any more; what Lading stated with it is signed anew with its present key."""
    require(parts, caller, Operation.ADMIN)
    return _row(parts, parts.keyring.revoke(key, why=body.why, actor=caller.id))


def _row(parts: Wiring, key: KnownKey) -> dict[str, Any]:
    state = "counts" if key.counts else "revoked"
    return {**msgspec.to_builtins(key), "state": state, "signs": key.key_id == parts.key.key_id}
