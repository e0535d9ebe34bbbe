"""The tables of identity, and their store. Secrets are kept only as hashes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from lading.identity.principal import Grant, PrincipalKind
from lading.identity.roles import EVERY_TEAM, Operation, Role
from lading.state import Transaction
from lading.state.schema import metadata

teams: Final = sa.Table(
    "identity_teams",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created_at", sa.Text, nullable=False),
)

principals: Final = sa.Table(
    "identity_principals",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("password", sa.Text, comment="argon2id; none for robots and people without one"),
    sa.Column("disabled_at", sa.Text),
)

grants: Final = sa.Table(
    "identity_grants",
    metadata,
    sa.Column("principal", sa.Text, sa.ForeignKey("identity_principals.name"), primary_key=True),
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
)

# Roles beyond those above: narrowed to some repositories, or given by an identity provider's groups until a moment.
further_grants: Final = sa.Table(
    "identity_further_grants",
    metadata,
    sa.Column("principal", sa.Text, sa.ForeignKey("identity_principals.name"), primary_key=True),
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("repositories", sa.Text, primary_key=True, comment="pattern; empty: the whole team"),
    sa.Column("origin", sa.Text, primary_key=True, comment="empty: an admin; else the issuer whose groups gave it"),
    sa.Column("until", sa.Text, nullable=False, comment="empty: for good"),
)

# Who an identity provider's subject is here: a name can be given to somebody else there, a subject cannot.
externals: Final = sa.Table(
    "identity_externals",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, sa.ForeignKey("identity_principals.name"), nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)

tokens: Final = sa.Table(
    "identity_tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True, comment="sha256 of the token"),
    sa.Column("principal", sa.Text, sa.ForeignKey("identity_principals.name"), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("only", sa.Text, nullable=False, comment="operations it is narrowed to; empty: all of the principal's"),
    sa.Column("issued_at", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False, comment="empty: never"),
    sa.Column("used_at", sa.Text, nullable=False, comment="to the hour; empty: never"),
    sa.Column("revoked_at", sa.Text),
    sa.Index("ix_identity_tokens_principal", "principal"),
)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is kept."""

    id: str
    hash: bytes
    principal: str
    purpose: str
    only: frozenset[Operation] | None
    issued_at: str
    expires_at: str
    used_at: str
    revoked_at: str


@dataclass(frozen=True, slots=True)
class PrincipalRow:
    """A principal as it is kept, with its roles."""

    name: str
    kind: PrincipalKind
    created_at: str
    disabled: bool
    grants: frozenset[Grant]
    password: str | None = field(default=None, repr=False)


class IdentityStore:
    """Rows of teams, principals, grants and tokens."""

    def add_team(self, tx: Transaction, name: str, at: str) -> None:
        """Keep a new team."""
        tx.execute(sa.insert(teams).values(name=name, created_at=at))

    def has_team(self, tx: Transaction, name: str) -> bool:
        """Whether there is such a team; `*` always is."""
        query = sa.select(teams.c.name).where(teams.c.name == name)
        return name == EVERY_TEAM or tx.execute(query).first() is not None

    def teams(self, tx: Transaction) -> list[str]:
        """The teams by name."""
        return list(tx.execute(sa.select(teams.c.name).order_by(teams.c.name)).scalars())

    def add_principal(
        self, tx: Transaction, name: str, kind: PrincipalKind, at: str, password: str | None = None
    ) -> None:
        """Keep a new principal."""
        tx.execute(sa.insert(principals).values(name=name, kind=kind, created_at=at, password=password))

    def password_of(self, tx: Transaction, name: str) -> str | None:
        """The kept hash, or None: no such principal, no password, or disabled."""
        query = sa.select(principals.c.password).where(principals.c.name == name, principals.c.disabled_at.is_(None))
        return tx.execute(query).scalar()

    def set_password(self, tx: Transaction, name: str, password: str) -> None:
        """Replace the kept hash."""
        tx.execute(sa.update(principals).where(principals.c.name == name).values(password=password))

    def disable(self, tx: Transaction, name: str, at: str) -> None:
        """Nothing proves this principal any more."""
        tx.execute(sa.update(principals).where(principals.c.name == name).values(disabled_at=at))

    def principals(self, tx: Transaction, now: str, names: Iterable[str] | None = None) -> list[PrincipalRow]:
        """The principals with the grants that count at `now`, by name; only `names` when given."""
        query = sa.select(principals).order_by(principals.c.name)
        granted = sa.select(grants)
        further = sa.select(further_grants).where((further_grants.c.until == "") | (further_grants.c.until > now))
        if names is not None:
            listed = list(names)
            query = query.where(principals.c.name.in_(listed))
            granted = granted.where(grants.c.principal.in_(listed))
            further = further.where(further_grants.c.principal.in_(listed))
        held: dict[str, set[Grant]] = {}
        for row in tx.execute(granted):
            held.setdefault(row.principal, set()).add(Grant(row.team, Role(row.role)))
        for row in tx.execute(further):
            held.setdefault(row.principal, set()).add(Grant(row.team, Role(row.role), row.repositories))
        return [
            PrincipalRow(
                name=row.name,
                kind=PrincipalKind(row.kind),
                created_at=row.created_at,
                disabled=row.disabled_at is not None,
                grants=frozenset(held.get(row.name, ())),
                password=row.password,
            )
            for row in tx.execute(query)
        ]

    def grant(self, tx: Transaction, principal: str, grant: Grant) -> bool:
        """Give a role; False when it was held already."""
        table = further_grants if grant.repositories else grants
        if tx.execute(sa.select(table.c.role).where(*_same(principal, grant))).first() is not None:
            return False
        values = {"principal": principal, "team": grant.team, "role": grant.role}
        if grant.repositories:
            values |= {"repositories": grant.repositories, "origin": "", "until": ""}
        tx.execute(sa.insert(table).values(**values))
        return True

    def withdraw(self, tx: Transaction, principal: str, grant: Grant) -> bool:
        """Take a role; False when it was not held."""
        table = further_grants if grant.repositories else grants
        return bool(tx.execute(sa.delete(table).where(*_same(principal, grant))).rowcount)

    def group_grants(self, tx: Transaction, principal: str, origin: str) -> set[Grant]:
        """The roles that the groups of an identity provider gave, whether they still count or not."""
        query = sa.select(further_grants).where(
            further_grants.c.principal == principal, further_grants.c.origin == origin
        )
        return {Grant(row.team, Role(row.role), row.repositories) for row in tx.execute(query)}

    def replace_group_grants(
        self, tx: Transaction, principal: str, origin: str, held: Iterable[Grant], until: str
    ) -> None:
        """Make these the roles that the groups of an identity provider give, until a moment."""
        here = (further_grants.c.principal == principal) & (further_grants.c.origin == origin)
        tx.execute(sa.delete(further_grants).where(here))
        rows = [
            {
                "principal": principal,
                "team": grant.team,
                "role": grant.role,
                "repositories": grant.repositories,
                "origin": origin,
                "until": until,
            }
            for grant in held
        ]
        if rows:
            tx.execute(sa.insert(further_grants), rows)

    def external(self, tx: Transaction, issuer: str, subject: str) -> str | None:
        """Who a subject of an identity provider is here; None for one that never came."""
        query = sa.select(externals.c.principal).where(externals.c.issuer == issuer, externals.c.subject == subject)
        return tx.execute(query).scalar()

    def add_external(self, tx: Transaction, issuer: str, subject: str, principal: str, at: str) -> None:
        """Keep who a subject is."""
        values = {"issuer": issuer, "subject": subject, "principal": principal, "created_at": at}
        tx.execute(sa.insert(externals).values(**values))

    def global_admins(self, tx: Transaction) -> list[str]:
        """Who may do everything and is not disabled."""
        query = sa.select(grants.c.principal).join(principals, principals.c.name == grants.c.principal)
        query = query.where(
            grants.c.team == EVERY_TEAM, grants.c.role == Role.ADMIN, principals.c.disabled_at.is_(None)
        )
        return list(tx.execute(query).scalars())

    def add_token(self, tx: Transaction, token: TokenRow) -> None:
        """Keep a new token."""
        tx.execute(
            sa.insert(tokens).values(
                id=token.id,
                hash=token.hash,
                principal=token.principal,
                purpose=token.purpose,
                only="" if token.only is None else ",".join(sorted(token.only)) or "none",
                issued_at=token.issued_at,
                expires_at=token.expires_at,
                used_at="",
            )
        )

    def token_by_hash(self, tx: Transaction, digest: bytes) -> TokenRow | None:
        """The token with this hash, whatever its state."""
        row = tx.execute(sa.select(tokens).where(tokens.c.hash == digest)).first()
        return None if row is None else _token(row)

    def token(self, tx: Transaction, identity: str) -> TokenRow | None:
        """The token with this id, whatever its state."""
        row = tx.execute(sa.select(tokens).where(tokens.c.id == identity)).first()
        return None if row is None else _token(row)

    def tokens(self, tx: Transaction, principal: str | None = None) -> list[TokenRow]:
        """The tokens, oldest first; of one principal when given."""
        query = sa.select(tokens).order_by(tokens.c.id)
        if principal is not None:
            query = query.where(tokens.c.principal == principal)
        return [_token(row) for row in tx.execute(query)]

    def revoke(self, tx: Transaction, identity: str, at: str) -> bool:
        """Make a token worthless; False when it was already, or is unknown."""
        query = sa.update(tokens).where(tokens.c.id == identity, tokens.c.revoked_at.is_(None))
        return bool(tx.execute(query.values(revoked_at=at)).rowcount)

    def used(self, tx: Transaction, identity: str, at: str) -> None:
        """Note when a token was last used."""
        tx.execute(sa.update(tokens).where(tokens.c.id == identity).values(used_at=at))

    def forget_expired(self, tx: Transaction, before: str, purposes: Iterable[str]) -> int:
        """Delete the tokens of these purposes that expired before a moment; returns how many."""
        query = sa.delete(tokens).where(
            tokens.c.purpose.in_(list(purposes)), tokens.c.expires_at != "", tokens.c.expires_at < before
        )
        return int(tx.execute(query).rowcount)


def _same(principal: str, grant: Grant) -> tuple[sa.ColumnElement[bool], ...]:
    table = further_grants if grant.repositories else grants
    same = table.c.principal == principal, table.c.team == grant.team, table.c.role == grant.role
    if not grant.repositories:
        return same
    return *same, further_grants.c.repositories == grant.repositories, further_grants.c.origin == ""


def _token(row: sa.Row[Any]) -> TokenRow:
    narrowed = frozenset(Operation(one) for one in row.only.split(",") if one != "none") if row.only else None
    return TokenRow(
        id=row.id,
        hash=bytes(row.hash),
        principal=row.principal,
        purpose=row.purpose,
        only=narrowed,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at or "",
    )
