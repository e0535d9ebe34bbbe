from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from lading.facts import Ledger
from lading.facts.kinds.identity import AccessRefused
from lading.identity.errors import AccessDenied, InvalidName, TooManyAttempts, WrongCredentials
from lading.identity.passwords import Passwords
from lading.identity.principal import ANONYMOUS, Grant, Principal, system_principal
from lading.identity.roles import ALLOWED, EVERY_TEAM, Operation, Role
from lading.identity.service import FIRST_ADMIN, Identity
from lading.identity.sql import tokens
from lading.identity.token import is_token, new_token
from lading.kernel.clock import ManualClock
from lading.kernel.errors import Conflict, NotFound, Unavailable
from lading.state import Database

CHEAP = Passwords(time_cost=1, memory_kib=64, parallelism=1)
PASSWORD = "a lading of oranges"


@pytest.fixture
def identity(each_database: Database, ledger: Ledger, clock: ManualClock) -> Identity:
    made = Identity(each_database, ledger, clock, CHEAP)
    made.create_team("shop", actor="system:test")
    return made


def facts(database: Database, ledger: Ledger) -> list[str]:
    with database.read() as tx:
        return [entry.fact.kind() for entry in ledger.read(tx)]


def test_a_robot_of_a_team_proves_itself_with_its_token(
    identity: Identity, each_database: Database, ledger: Ledger
) -> None:
    issued = identity.create_robot("shop", "ci", actor="person:ada")
    principal = identity.authenticate_token(issued.text)

    assert principal.id == issued.principal == "robot:shop/ci"
    assert identity.may(principal, Operation.PUSH, "shop")
    assert not identity.may(principal, Operation.PUSH, "other")
    assert not identity.may(principal, Operation.APPROVE, "shop")
    assert facts(each_database, ledger) == ["team.created", "principal.created", "role.granted", "token.issued"]


def test_no_secret_is_kept_in_the_database_or_shown_by_accident(
    identity: Identity, each_database: Database, ledger: Ledger
) -> None:
    issued = identity.create_robot("shop", "ci", actor="person:ada")

    assert issued.text not in repr(issued)
    with each_database.read() as tx:
        kept = repr(tx.execute(sa.select(tokens)).all()) + repr(ledger.read(tx))
    assert issued.text not in kept
    assert issued.text[4:20] not in kept


@pytest.mark.parametrize("spoil", ["", "x", "lad_", "cut", "changed", "other", "long", "space", "unicode"])
def test_anything_but_the_token_proves_nobody_in_the_same_words(identity: Identity, spoil: str) -> None:
    text = identity.create_robot("shop", "ci", actor="person:ada").text
    changed = text[:-1] + ("0" if text[-1] != "0" else "1")
    wrong = {
        "cut": text[:-1],
        "changed": changed,
        "other": new_token(),
        "long": text + "a",
        "space": text + "\n",
        "unicode": text[:-1] + "é",
    }.get(spoil, spoil)

    with pytest.raises(WrongCredentials, match="The token is not valid"):
        identity.authenticate_token(wrong)


def test_a_token_expires_and_a_clock_set_back_does_not_revive_it(identity: Identity, clock: ManualClock) -> None:
    issued = identity.create_robot("shop", "ci", actor="person:ada", lasting=timedelta(minutes=5))
    identity.authenticate_token(issued.text)
    clock.advance(timedelta(minutes=5))
    with pytest.raises(WrongCredentials):
        identity.authenticate_token(issued.text)

    identity.create_team("later", actor="system:test")
    clock.set(datetime(2025, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(seconds=2))
    with pytest.raises(WrongCredentials):
        identity.authenticate_token(issued.text)


def test_a_revoked_token_is_worthless_at_once_here_and_within_a_second_elsewhere(
    identity: Identity, each_database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    issued = identity.create_robot("shop", "ci", actor="person:ada")
    elsewhere = Identity(each_database, ledger, clock, CHEAP)
    elsewhere.authenticate_token(issued.text)
    identity.authenticate_token(issued.text)
    identity.revoke_token(issued.id, actor="person:ada")

    with pytest.raises(WrongCredentials):
        identity.authenticate_token(issued.text)
    assert elsewhere.authenticate_token(issued.text).id == "robot:shop/ci"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(WrongCredentials):
        elsewhere.authenticate_token(issued.text)
    with pytest.raises(NotFound):
        identity.revoke_token(issued.id, actor="person:ada")


def test_the_last_use_of_a_token_is_noted_to_the_hour(identity: Identity, clock: ManualClock) -> None:
    issued = identity.create_robot("shop", "ci", actor="person:ada")
    clock.advance(timedelta(minutes=61))
    identity.authenticate_token(issued.text)

    assert [row.used_at for row in identity.tokens("robot:shop/ci")] == ["2026-01-01T01:00:00.000000Z"]


def test_a_token_on_a_database_that_is_read_only_still_proves(
    tmp_path: Path, ledger: Ledger, clock: ManualClock
) -> None:
    from lading.state import metadata

    url = f"sqlite:///{tmp_path / 'state.db'}"
    writable = Database(url)
    metadata.create_all(writable.engine)
    made = Identity(writable, ledger, clock, CHEAP)
    made.create_team("shop", actor="system:test")
    issued = made.create_robot("shop", "ci", actor="system:test")
    reader = Database(url, read_only=True)
    pulling = Identity(reader, ledger, clock, CHEAP)

    principal = pulling.authenticate_basic("whoever", issued.text)
    with pytest.raises(AccessDenied):
        pulling.require(principal, Operation.PULL, "other")
    reader.close()
    writable.close()


def test_a_narrowed_token_may_no_more_than_it_says(identity: Identity) -> None:
    issued = identity.issue_internal("shop", "builder", lasting=timedelta(minutes=10), only=[Operation.PULL])
    principal = identity.authenticate_token(issued.text)

    assert principal.may(Operation.PULL, "shop")
    assert not principal.may(Operation.PUSH, "shop")
    nothing = identity.issue_token("robot:shop/builder", purpose="test", actor="system:test", only=[])
    assert not identity.authenticate_token(nothing.text).may(Operation.READ, "shop")


# --- people


def test_a_person_logs_in_and_gets_a_session(identity: Identity, clock: ManualClock) -> None:
    identity.create_person("ada", PASSWORD, actor="person:admin")
    identity.grant("person:ada", "shop", Role.VIEWER, actor="person:admin")
    session = identity.login("ada", PASSWORD, address="10.0.0.1")
    principal = identity.authenticate_token(session.text)

    assert (principal.id, principal.purpose) == ("person:ada", "session")
    assert principal.may(Operation.READ, "shop")
    clock.advance(timedelta(hours=12))
    with pytest.raises(WrongCredentials):
        identity.authenticate_token(session.text)
    clock.advance(timedelta(days=8))
    assert identity.sweep() == 1


@pytest.mark.parametrize("name", ["ada", "nobody", "", "../etc", "person:ada", "robot:shop/ci", "a" * 5_000])
def test_a_wrong_name_and_a_wrong_password_read_the_same(identity: Identity, name: str) -> None:
    identity.create_person("ada", PASSWORD, actor="person:admin")
    identity.create_robot("shop", "ci", actor="person:admin")

    with pytest.raises(WrongCredentials, match="The name or the password is wrong"):
        identity.authenticate_password(name, "not the password")


def test_a_person_without_a_password_cannot_log_in(identity: Identity) -> None:
    identity.create_person("ada", actor="person:admin")
    for password in ("", "nobody", PASSWORD):
        with pytest.raises(WrongCredentials):
            identity.authenticate_password("ada", password)


def test_guessing_is_stopped_before_anything_is_checked_and_forgiven_after_a_minute(
    identity: Identity, clock: ManualClock
) -> None:
    identity.create_person("ada", PASSWORD, actor="person:admin")
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            identity.authenticate_password("ada", "guess", address="10.0.0.9")

    with pytest.raises(TooManyAttempts):
        identity.authenticate_password("ada", PASSWORD, address="10.0.0.9")
    assert identity.authenticate_password("ada", PASSWORD, address="10.0.0.1").id == "person:ada"
    clock.advance(timedelta(seconds=61))
    assert identity.authenticate_password("ada", PASSWORD, address="10.0.0.9").id == "person:ada"


def test_one_address_cannot_guess_many_names(identity: Identity) -> None:
    for number in range(20):
        with pytest.raises(WrongCredentials):
            identity.authenticate_password(f"name{number}", "guess", address="10.0.0.9")
    with pytest.raises(TooManyAttempts):
        identity.authenticate_password("another", "guess", address="10.0.0.9")


@pytest.mark.parametrize("password", ["", "short", "x" * 2_000])
def test_a_password_has_bounds(identity: Identity, password: str) -> None:
    with pytest.raises(InvalidName):
        identity.create_person("ada", password, actor="person:admin")


def test_a_new_password_ends_the_sessions(identity: Identity) -> None:
    identity.create_person("ada", PASSWORD, actor="person:admin")
    session = identity.login("ada", PASSWORD)
    identity.set_password("ada", PASSWORD + " and lemons", actor="person:ada")

    with pytest.raises(WrongCredentials):
        identity.authenticate_token(session.text)
    with pytest.raises(WrongCredentials):
        identity.login("ada", PASSWORD)


def test_a_disabled_person_is_nobody(identity: Identity) -> None:
    identity.first_admin()
    identity.create_person("ada", PASSWORD, actor="person:admin")
    session = identity.login("ada", PASSWORD)
    identity.disable("person:ada", actor="person:admin")

    with pytest.raises(WrongCredentials):
        identity.authenticate_token(session.text)
    with pytest.raises(WrongCredentials):
        identity.login("ada", PASSWORD)
    with pytest.raises(NotFound):
        identity.issue_token("person:ada", purpose="x", actor="person:admin")


# --- roles


def test_roles_allow_what_the_table_says() -> None:
    def who(role: Role) -> Principal:
        return Principal("person:x", system_principal("x").kind, frozenset({Grant("shop", role)}))

    for role, allowed in ALLOWED.items():
        assert {operation for operation in Operation if who(role).may(operation, "shop")} == allowed
        assert not any(who(role).may(operation, "other") for operation in Operation)
        assert not any(
            who(role).may(operation, everywhere) for operation in Operation for everywhere in (EVERY_TEAM, "")
        )


def test_the_system_may_everything_and_the_anonymous_nothing() -> None:
    assert all(system_principal("worker").may(operation, "shop") for operation in Operation)
    assert not any(ANONYMOUS.may(operation, "shop") for operation in Operation)


def test_a_role_that_is_withdrawn_is_gone(identity: Identity) -> None:
    issued = identity.create_robot("shop", "ci", actor="person:admin", role=Role.VIEWER)
    identity.withdraw("robot:shop/ci", "shop", Role.VIEWER, actor="person:admin")

    assert not identity.authenticate_token(issued.text).may(Operation.READ, "shop")
    with pytest.raises(NotFound):
        identity.withdraw("robot:shop/ci", "shop", Role.VIEWER, actor="person:admin")


def test_a_robot_gets_no_role_in_another_team(identity: Identity) -> None:
    identity.create_robot("shop", "ci", actor="person:admin")
    for team in ("other", EVERY_TEAM):
        with pytest.raises(Conflict):
            identity.grant("robot:shop/ci", team, Role.ADMIN, actor="person:admin")


def test_a_refusal_is_stated_at_once_and_its_repetitions_once_a_minute(
    identity: Identity, each_database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    principal = identity.authenticate_token(identity.create_robot("shop", "ci", actor="person:admin").text)
    for _ in range(3):
        with pytest.raises(AccessDenied, match="robot:shop/ci may not approve in team shop"):
            identity.require(principal, Operation.APPROVE, "shop", target="image:x")
    assert facts(each_database, ledger).count("access.refused") == 1
    clock.advance(timedelta(minutes=1))
    with pytest.raises(AccessDenied):
        identity.require(principal, Operation.APPROVE, "shop", target="image:x")
    with each_database.read() as tx:
        stated = [entry.fact for entry in ledger.read(tx) if isinstance(entry.fact, AccessRefused)]
    assert [fact.times for fact in stated] == [1, 2, 1]


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "a/b", "*", "a" * 65, "é", "a\n", "a..b"])
def test_names_have_a_grammar(identity: Identity, name: str) -> None:
    with pytest.raises(InvalidName):
        identity.create_team(name, actor="person:admin")
    with pytest.raises(InvalidName):
        identity.create_person(name, actor="person:admin")
    with pytest.raises(InvalidName):
        identity.create_robot("shop", name, actor="person:admin")


def test_names_are_taken_once(identity: Identity) -> None:
    identity.create_person("ada", actor="person:admin")
    identity.create_robot("shop", "ci", actor="person:admin")
    with pytest.raises(Conflict):
        identity.create_team("shop", actor="person:admin")
    with pytest.raises(Conflict):
        identity.create_person("ada", actor="person:admin")
    with pytest.raises(Conflict):
        identity.create_robot("shop", "ci", actor="person:admin")
    with pytest.raises(NotFound):
        identity.create_robot("nowhere", "ci", actor="person:admin")


# --- the first admin


def test_the_first_admin_token_is_shown_once(identity: Identity) -> None:
    text = identity.first_admin()
    assert text is not None
    principal = identity.authenticate_token(text)
    assert principal.id == FIRST_ADMIN
    assert principal.may(Operation.ADMIN, EVERY_TEAM)
    assert identity.first_admin() is None


def test_the_first_admin_token_may_come_from_a_file_and_be_replaced_in_it(identity: Identity, tmp_path: Path) -> None:
    file, first, second = tmp_path / "token", new_token(), new_token()
    file.write_text(first + "\n")
    assert identity.first_admin(file) is None
    assert identity.first_admin(file) is None
    assert identity.authenticate_token(first).may(Operation.ADMIN, EVERY_TEAM)

    file.write_text(second)
    identity.first_admin(file)
    assert identity.authenticate_token(second).id == FIRST_ADMIN
    with pytest.raises(WrongCredentials):
        identity.authenticate_token(first)

    file.write_text(first)
    identity.first_admin(file)
    with pytest.raises(WrongCredentials):
        identity.authenticate_token(first)


@pytest.mark.parametrize("content", ["", "admin", "lad_" + "0" * 49, "x" * 10_000, "\x00\xff"])
def test_a_file_without_a_token_is_refused(identity: Identity, tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(InvalidName):
        identity.first_admin(tmp_path / "token")
    with pytest.raises(Unavailable):
        identity.first_admin(tmp_path / "missing")


def test_the_last_admin_stays(identity: Identity) -> None:
    identity.first_admin()
    with pytest.raises(Conflict):
        identity.disable(FIRST_ADMIN, actor=FIRST_ADMIN)
    with pytest.raises(Conflict):
        identity.withdraw(FIRST_ADMIN, EVERY_TEAM, Role.ADMIN, actor=FIRST_ADMIN)
    identity.create_person("ada", actor=FIRST_ADMIN)
    identity.grant("person:ada", EVERY_TEAM, Role.ADMIN, actor=FIRST_ADMIN)
    identity.disable(FIRST_ADMIN, actor="person:ada")


def test_tokens_have_a_checksum_and_are_never_the_same() -> None:
    made = {new_token() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(is_token(text) and len(text) == 53 for text in made)
    text = new_token()
    spoiled = [text[:n] + ("A" if text[n] != "A" else "B") + text[n + 1 :] for n in range(4, len(text))]
    assert not any(is_token(one) for one in spoiled)
