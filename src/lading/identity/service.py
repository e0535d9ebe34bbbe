"""The identity service: the one object the rest of Lading talks to.

Every change is a fact in the same transaction. A secret leaves this module exactly once, in an `IssuedToken`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from lading.facts import Fact, Ledger
from lading.facts.kinds.identity import (
    PrincipalCreated,
    PrincipalDisabled,
    PrincipalLinked,
    RoleGranted,
    RoleWithdrawn,
    TeamCreated,
    TokenIssued,
    TokenRevoked,
)
from lading.identity.authenticate import Authenticator
from lading.identity.calls import Calls
from lading.identity.errors import AccessDenied, InvalidName
from lading.identity.passwords import Passwords
from lading.identity.patterns import checked_pattern
from lading.identity.principal import (
    Grant,
    Principal,
    PrincipalKind,
    checked_name,
    person_name,
    region_name,
    robot_name,
)
from lading.identity.roles import EVERY_TEAM, Operation, Role
from lading.identity.sql import IdentityStore, PrincipalRow, TokenRow
from lading.identity.token import is_token, new_token, token_hash
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import Conflict, NotFound, Unavailable
from lading.kernel.ids import new_id
from lading.state import Database, Transaction

SESSION: Final = timedelta(hours=12)
FIRST_ADMIN: Final = "person:admin"
_FROM_FILE: Final = "first-admin-file"
_SHORT_LIVED: Final = ("session", "internal")
_MOST_TOKEN_FILE: Final = 4096


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token at the only moment it can be seen. `until` is RFC 3339 or empty."""

    id: str
    principal: str
    until: str
    text: str = field(repr=False)


class Identity:
    """Teams, people, robots, their roles and their tokens."""

    def __init__(
        self, database: Database, ledger: Ledger, clock: Clock | None = None, passwords: Passwords | None = None
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._passwords = passwords or Passwords()
        self._store = IdentityStore()
        self._authenticator = Authenticator(database, ledger, self._clock, self._passwords)
        self._calls = Calls(database, ledger, self._clock)

    # --- who asks

    def authenticate_token(self, text: str) -> Principal:
        """The principal of a token; raises WrongCredentials."""
        return self._authenticator.token(text)

    def holder(self, name: str, proof: str) -> Principal:
        """Who proved itself with `proof` (a `Principal.token_id`) before, as it counts now; raises WrongCredentials."""
        return self._authenticator.holder(name, proof)

    def authenticate_password(self, name: str, password: str, *, address: str = "") -> Principal:
        """The person `name` (with or without `person:`); raises WrongCredentials and TooManyAttempts."""
        return self._authenticator.password(name, password, address)

    def authenticate_basic(self, name: str, secret: str, *, address: str = "") -> Principal:
        """HTTP Basic, as container clients log in: the secret is a token (the name is ignored) or a password."""
        if is_token(secret):
            return self._authenticator.token(secret)
        return self._authenticator.password(name, secret, address)

    def login(self, name: str, password: str, *, address: str = "") -> IssuedToken:
        """A session of the web console: a token for 12 hours. Raises as `authenticate_password`."""
        principal = self.authenticate_password(name, password, address=address)
        return self.issue_token(principal.id, purpose="session", lasting=SESSION, actor=principal.id)

    # --- what they may do

    def may(self, principal: Principal, operation: Operation, team: str, repository: str = "") -> bool:
        """Whether `principal` may do `operation` in `team`, on `repository` where it is about one."""
        return principal.may(operation, team, repository)

    def require(
        self, principal: Principal, operation: Operation, team: str, *, target: str = "", repository: str = ""
    ) -> None:
        """Raise AccessDenied, and state it, unless `principal` may; `target` names what it was about."""
        if principal.may(operation, team, repository):
            return
        self.refused(principal, operation, target or f"team:{team}")
        whose = "all teams" if team == EVERY_TEAM else f"team {team}"
        raise AccessDenied(
            f"{principal.id} may not {operation} in {whose}.", remedy=f"Ask an admin of {whose} for a role that may."
        )

    def refused(self, principal: Principal, operation: str, target: str, status: int = 403) -> None:
        """State that access was refused, and where the call came from; `status` is what HTTP said.

        The same refusal again within a minute is counted, and stated once more with the count.
        """
        self._calls.refused(principal.id, str(operation), target, status)

    def used(self, principal: Principal, operation: str, target: str) -> None:
        """State that a call changed something, and where it came from."""
        self._calls.used(principal.id, principal.token_id, operation, target)

    def flush(self) -> None:
        """State what was counted; before a process ends."""
        self._calls.flush()

    # --- teams, people, robots

    def create_team(self, name: str, *, actor: str) -> None:
        """A new team; raises Conflict when it exists, InvalidName."""
        checked_name(name, "team")
        with self._database.write() as tx:
            if self._store.has_team(tx, name):
                raise Conflict(f"There is a team {name} already.", remedy="Choose another name.")
            self._store.add_team(tx, name, self._now(tx))
            self._ledger.append(tx, [TeamCreated(team=name)], actor=actor)

    def create_person(self, name: str, password: str | None = None, *, actor: str) -> str:
        """A new person, who may do nothing yet; returns `person:NAME`. Raises Conflict and InvalidName."""
        full = person_name(name)
        kept = None if password is None else self._passwords.hash(password)
        with self._database.write() as tx:
            self._ledger.append(tx, self._new_principal(tx, full, PrincipalKind.PERSON, kept), actor=actor)
        return full

    def create_robot(
        self,
        team: str,
        name: str,
        *,
        actor: str,
        role: Role = Role.DEVELOPER,
        purpose: str = "robot",
        lasting: timedelta | None = None,
    ) -> IssuedToken:
        """A robot of a team with a role in it, and its first token. Raises NotFound, Conflict and InvalidName."""
        full = robot_name(team, name)
        with self._database.write() as tx:
            self._existing_team(tx, team)
            facts = self._new_principal(tx, full, PrincipalKind.ROBOT, None)
            self._store.grant(tx, full, Grant(team, role))
            facts.append(RoleGranted(principal=full, team=team, role=role))
            issued, fact = self._issue(tx, full, new_token(), purpose, lasting, None)
            self._ledger.append(tx, [*facts, fact], actor=actor)
        return issued

    def link(self, principal: str, issuer: str, subject: str, *, actor: str) -> None:
        """Let a subject of an identity provider log in as somebody who is here. Raises NotFound, and Conflict for one
        that is somebody already."""
        with self._database.write() as tx:
            if self._existing(tx, principal).kind is not PrincipalKind.PERSON:
                raise Conflict(f"{principal} is no person.", remedy="Link a person:NAME.")
            if (known := self._store.external(tx, issuer, subject)) is not None:
                raise Conflict(f"{subject[:100]} of {issuer} is {known} here.")
            self._ledger.append(tx, [self._linked(tx, principal, issuer, subject)], actor=actor)

    def set_password(self, name: str, password: str, *, actor: str) -> None:
        """Replace a person's password and end their sessions; raises NotFound and InvalidName."""
        full = person_name(name.removeprefix("person:"))
        kept = self._passwords.hash(password)
        with self._database.write() as tx:
            self._existing(tx, full)
            self._store.set_password(tx, full, kept)
            facts = self._revoke(tx, (row for row in self._store.tokens(tx, full) if row.purpose == "session"))
            self._ledger.append(tx, facts, actor=actor)
        self._authenticator.forget()

    def disable(self, principal: str, *, actor: str) -> None:
        """Nothing proves this principal any more. Raises NotFound, and Conflict for the last global admin."""
        with self._database.write() as tx:
            self._existing(tx, principal)
            self._keep_an_admin(tx, principal)
            self._store.disable(tx, principal, self._now(tx))
            facts = self._revoke(tx, self._store.tokens(tx, principal))
            self._ledger.append(tx, [*facts, PrincipalDisabled(principal=principal)], actor=actor)
        self._authenticator.forget()

    def grant(self, principal: str, team: str, role: Role, *, actor: str, repositories: str = "") -> None:
        """Give a role in a team (`*`: in all); giving it again changes nothing. Raises NotFound and InvalidName.

        `repositories` narrows it to those of the team that match a pattern. A robot has roles in its own team only:
        that is what its name says.
        """
        given = Grant(team, role, checked_pattern(repositories))
        if principal.startswith("robot:") and principal.removeprefix("robot:").partition("/")[0] != team:
            raise Conflict(f"{principal} cannot have a role in {team}.", remedy="Make a robot of that team.")
        with self._database.write() as tx:
            self._existing(tx, principal)
            self._existing_team(tx, team)
            if self._store.grant(tx, principal, given):
                self._ledger.append(tx, [role_granted(principal, given)], actor=actor)
        self._authenticator.forget()

    def withdraw(self, principal: str, team: str, role: Role, *, actor: str, repositories: str = "") -> None:
        """Take a role. Raises NotFound when it is not held, Conflict for the last global admin."""
        taken = Grant(team, role, checked_pattern(repositories))
        with self._database.write() as tx:
            if taken == Grant(EVERY_TEAM, Role.ADMIN):
                self._keep_an_admin(tx, principal)
            if not self._store.withdraw(tx, principal, taken):
                raise NotFound(f"{principal} does not have the role {role} in {team}.")
            self._ledger.append(tx, [role_withdrawn(principal, taken)], actor=actor)
        self._authenticator.forget()

    def teams(self) -> list[str]:
        """All teams, by name."""
        with self._database.read() as tx:
            return self._store.teams(tx)

    def principals(self) -> list[PrincipalRow]:
        """All people and robots with their roles, by name."""
        with self._database.read() as tx:
            return self._store.principals(tx, self._now(tx))

    # --- tokens

    def issue_token(
        self,
        principal: str,
        *,
        purpose: str,
        actor: str,
        lasting: timedelta | None = None,
        only: Iterable[Operation] | None = None,
    ) -> IssuedToken:
        """A new token of an existing principal.

        Args:
            purpose: what it is for, in a few words; `session` and `internal` tokens are swept after they expired.
            lasting: how long it is valid; for ever when None.
            only: operations it is narrowed to.

        Raises:
            NotFound: no such principal.
        """
        with self._database.write() as tx:
            self._existing(tx, principal)
            narrowed = None if only is None else frozenset(only)
            issued, fact = self._issue(tx, principal, new_token(), purpose, lasting, narrowed)
            self._ledger.append(tx, [fact], actor=actor)
        return issued

    def issue_internal(self, team: str, name: str, *, lasting: timedelta, only: Iterable[Operation]) -> IssuedToken:
        """A token of minutes for the server's own work (a build that pulls and pushes) as `robot:TEAM/NAME`.

        The robot is made when it does not exist yet; it can only ever be used by tokens made here. Raises NotFound
        when there is no such team.
        """
        full, actor = robot_name(team, name), "system:lading"
        with self._database.write() as tx:
            self._existing_team(tx, team)
            facts: list[Fact] = []
            if not self._store.principals(tx, self._now(tx), [full]):
                facts += self._new_principal(tx, full, PrincipalKind.ROBOT, None)
            if self._store.grant(tx, full, Grant(team, Role.DEVELOPER)):
                facts.append(RoleGranted(principal=full, team=team, role=Role.DEVELOPER))
            issued, fact = self._issue(tx, full, new_token(), "internal", lasting, frozenset(only))
            self._ledger.append(tx, [*facts, fact], actor=actor)
        return issued

    def admit_region(self, name: str, *, actor: str) -> IssuedToken:
        """A token for another Lading, good for nothing but replication; its tokens from before stop working.

        Raises:
            InvalidName: the name breaks the grammar.
        """
        full = region_name(name)
        with self._database.write() as tx:
            facts: list[Fact] = []
            if not self._store.principals(tx, self._now(tx), [full]):
                facts += self._new_principal(tx, full, PrincipalKind.REGION, None)
            if self._store.grant(tx, full, Grant(EVERY_TEAM, Role.REPLICATOR)):
                facts.append(RoleGranted(principal=full, team=EVERY_TEAM, role=Role.REPLICATOR))
            facts += self._revoke(tx, self._store.tokens(tx, full))
            only = frozenset({Operation.REPLICATE})
            issued, fact = self._issue(tx, full, new_token(), "replication", None, only)
            self._ledger.append(tx, [*facts, fact], actor=actor)
        self._authenticator.forget()
        return issued

    def dismiss_region(self, name: str, *, actor: str) -> None:
        """The tokens of another Lading stop working."""
        full = region_name(name)
        with self._database.write() as tx:
            self._ledger.append(tx, self._revoke(tx, self._store.tokens(tx, full)), actor=actor)
        self._authenticator.forget()

    def admit_external(
        self,
        issuer: str,
        subject: str,
        name: str,
        granted: Iterable[Grant],
        *,
        counting: timedelta,
        purpose: str,
        lasting: timedelta,
    ) -> IssuedToken:
        """A token for somebody who logged in at an identity provider; made a person here the first time.

        Args:
            name: what a new person is called.
            granted: the roles that the provider's groups give now; they replace those from before, and those in teams
                that are not there are left out.
            counting: how long they count without another login.
            lasting: how long the token is valid.

        Raises:
            AccessDenied: they have no role at all here, or were disabled.
            Conflict: the name is somebody else's here.
            InvalidName: the name cannot be one.
        """
        with self._database.write() as tx:
            now = self._authenticator.now(tx)
            person = self._store.external(tx, issuer, subject)
            held = {grant for grant in granted if self._store.has_team(tx, grant.team)}
            facts: list[Fact] = []
            if person is None and held:
                person = person_name(name)
                if self._store.principals(tx, timestamp(now), [person]):
                    raise Conflict(
                        f"There is a {person} here already, who is not known to log in there.",
                        remedy=f"If it is the same, an admin runs: lading person link {person} {subject[:100]}",
                    )
                facts += self._new_principal(tx, person, PrincipalKind.PERSON, None)
                facts.append(self._linked(tx, person, issuer, subject))
            if person is not None:
                facts += self._group_grants(tx, person, issuer, held, timestamp(now + counting))
            row = next(iter(self._store.principals(tx, timestamp(now), [person or ""])), None)
            issued = None
            if row is not None and row.grants and not row.disabled:
                issued, fact = self._issue(tx, row.name, new_token(), purpose, lasting, None)
                facts.append(fact)
            if facts:
                self._ledger.append(tx, facts, actor=person or "system:lading")
        self._authenticator.forget()
        if issued is None:
            who = Principal(person or "anonymous", PrincipalKind.PERSON)
            self.refused(who, "log in", person or name)
            raise AccessDenied(
                f"{name[:64]} has no role here.", remedy="Ask an admin, or to be taken into a group that has one."
            )
        return issued

    def revoke_token(self, identity: str, *, actor: str) -> None:
        """Make a token worthless: at once here, within a second in other processes. Raises NotFound."""
        with self._database.write() as tx:
            row = self._store.token(tx, identity)
            facts = self._revoke(tx, [row] if row else [])
            if not facts:
                raise NotFound(f"There is no token {identity} in use.", remedy="See `lading token list`.")
            self._ledger.append(tx, facts, actor=actor)
        self._authenticator.forget()

    def tokens(self, principal: str | None = None) -> list[TokenRow]:
        """The tokens kept, without their texts, oldest first."""
        with self._database.read() as tx:
            return self._store.tokens(tx, principal)

    def sweep(self) -> int:
        """Delete sessions and internal tokens that expired more than a week ago; returns how many."""
        with self._database.write() as tx:
            before = timestamp(self._authenticator.now(tx) - timedelta(days=7))
            return self._store.forget_expired(tx, before, _SHORT_LIVED)

    def first_admin(self, token_file: Path | None = None) -> str | None:
        """Make sure that somebody may do everything; called by `lading up` on every start.

        Without a file: when there is no global admin, `person:admin` is made and its new token returned, to be shown
        once. With a file: its token is the admin's; nothing is returned. A token that replaced the one in the file
        before takes its place; one that was revoked stays revoked.

        Raises:
            InvalidName: the file does not hold a token.
        """
        given = None if token_file is None else _read_token(token_file)
        with self._database.write() as tx:
            if given is not None and self._store.token_by_hash(tx, token_hash(given)) is not None:
                return None
            if given is None and self._store.global_admins(tx):
                return None
            facts: list[Fact] = []
            if not self._store.principals(tx, self._now(tx), [FIRST_ADMIN]):
                facts += self._new_principal(tx, FIRST_ADMIN, PrincipalKind.PERSON, None)
            if self._store.grant(tx, FIRST_ADMIN, Grant(EVERY_TEAM, Role.ADMIN)):
                facts.append(RoleGranted(principal=FIRST_ADMIN, team=EVERY_TEAM, role=Role.ADMIN))
            if given is not None:
                before = (row for row in self._store.tokens(tx, FIRST_ADMIN) if row.purpose == _FROM_FILE)
                facts += self._revoke(tx, before)
            purpose = "first-admin" if given is None else _FROM_FILE
            issued, fact = self._issue(tx, FIRST_ADMIN, given or new_token(), purpose, None, None)
            self._ledger.append(tx, [*facts, fact], actor="system:lading")
        self._authenticator.forget()
        return issued.text if given is None else None

    # --- inside

    def _now(self, tx: Transaction) -> str:
        return timestamp(self._authenticator.now(tx))

    def _existing(self, tx: Transaction, principal: str) -> PrincipalRow:
        found = self._store.principals(tx, self._now(tx), [principal])
        if not found or found[0].disabled:
            raise NotFound(f"There is no {principal[:100]}.", remedy="See `lading team list` and `lading person list`.")
        return found[0]

    def _existing_team(self, tx: Transaction, team: str) -> None:
        if not self._store.has_team(tx, team):
            raise NotFound(
                f"There is no team {team[:100]}.", remedy=f"Create it with `lading team create {team[:64]}`."
            )

    def _group_grants(self, tx: Transaction, person: str, origin: str, held: set[Grant], until: str) -> list[Fact]:
        before = self._store.group_grants(tx, person, origin)
        self._store.replace_group_grants(tx, person, origin, held, until)
        given = [role_granted(person, grant) for grant in sorted(held - before, key=str)]
        return [*given, *(role_withdrawn(person, grant) for grant in sorted(before - held, key=str))]

    def _linked(self, tx: Transaction, person: str, issuer: str, subject: str) -> Fact:
        self._store.add_external(tx, issuer, subject, person, self._now(tx))
        return PrincipalLinked(principal=person, issuer=issuer, external=subject)

    def _new_principal(self, tx: Transaction, name: str, kind: PrincipalKind, password: str | None) -> list[Fact]:
        if self._store.principals(tx, self._now(tx), [name]):
            raise Conflict(f"There is a {name} already.", remedy="Choose another name.")
        self._store.add_principal(tx, name, kind, self._now(tx), password)
        return [PrincipalCreated(principal=name, kind_of=kind)]

    def _issue(
        self,
        tx: Transaction,
        principal: str,
        text: str,
        purpose: str,
        lasting: timedelta | None,
        only: frozenset[Operation] | None,
    ) -> tuple[IssuedToken, Fact]:
        now: datetime = self._authenticator.now(tx)
        until = "" if lasting is None else timestamp(now + lasting)
        identity = new_id()
        row = TokenRow(identity, token_hash(text), principal, purpose, only, timestamp(now), until, "", "")
        self._store.add_token(tx, row)
        fact = TokenIssued(principal=principal, token_id=identity, purpose=purpose, until=until)
        return IssuedToken(identity, principal, until, text), fact

    def _revoke(self, tx: Transaction, rows: Iterable[TokenRow]) -> list[Fact]:
        now = self._now(tx)
        return [
            TokenRevoked(principal=row.principal, token_id=row.id)
            for row in list(rows)
            if self._store.revoke(tx, row.id, now)
        ]

    def _keep_an_admin(self, tx: Transaction, leaving: str) -> None:
        if self._store.global_admins(tx) == [leaving]:
            raise Conflict(f"{leaving} is the last global admin.", remedy="Make somebody else admin of * first.")


def role_granted(principal: str, grant: Grant) -> RoleGranted:
    """The fact that somebody has a role."""
    return RoleGranted(principal=principal, team=grant.team, role=grant.role, repositories=grant.repositories)


def role_withdrawn(principal: str, grant: Grant) -> RoleWithdrawn:
    """The fact that somebody lost a role."""
    return RoleWithdrawn(principal=principal, team=grant.team, role=grant.role, repositories=grant.repositories)


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_TOKEN_FILE).decode("ascii", "replace").strip()
    except OSError as error:
        raise Unavailable(f"The admin token file {path} cannot be read: {error.strerror}.") from error
    if not is_token(text):
        raise InvalidName(
            f"The admin token file {path} does not hold a token.",
            remedy="Write one line: lad_ and 49 characters of base 62, the last six of them a checksum.",
        )
    return text
