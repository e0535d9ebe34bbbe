"""Every setting of Lading in one table: name, environment variable, default, what it means.

A flag wins over the environment, the environment over the file, the file over the default. The file is TOML:
`LADING_CONFIG`, or `lading.toml` in the data directory. docs/settings.md is written from this table.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final

from lading.kernel.errors import InvalidInput

PREFIX: Final = "LADING_"


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where something listens or is reached: host and TCP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port`, `[ipv6]:port` or `:port` (all interfaces); raises InvalidInput."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise InvalidInput(f"{text!r} is not an address.", remedy="Write it as HOST:PORT, such as 127.0.0.1:5000.")
        return cls(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - only when somebody wrote `:port`

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _optional_path(text: str) -> Path | None:
    return _path(text) if text else None


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise InvalidInput(f"{text!r} is neither yes nor no.", remedy="Write true or false.")


def _name(text: str) -> str:
    if re.fullmatch(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", text) is None or len(text) > 64:
        raise InvalidInput(f"{text!r} is not a name.", remedy="Use lower-case letters and digits, joined by . _ or -.")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 31_536_000:
        raise InvalidInput(f"{text!r} is not a number of seconds.", remedy="Write a number above 0, such as 2.5.")
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidInput(f"{text!r} is not a whole number.", remedy="Write digits only.")
    return int(text)


ROLES: Final = ("push", "pull", "api", "worker")


def _roles(text: str) -> tuple[str, ...]:
    """Names of roles between commas, in the order of `ROLES`."""
    said = {name.strip() for name in text.split(",") if name.strip()}
    if not said or said - set(ROLES):
        raise InvalidInput(f"{text!r} names no roles.", remedy=f"Write some of {', '.join(ROLES)}, between commas.")
    return tuple(name for name in ROLES if name in said)


def _platforms(text: str) -> tuple[str, ...]:
    """Names such as `linux/amd64` between commas."""
    said = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in said:
        if re.fullmatch(r"[a-z0-9]{1,32}/[a-z0-9]{1,32}", name) is None:
            raise InvalidInput(f"{name!r} is not a platform.", remedy="Write them as linux/amd64, between commas.")
    return said


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks (`10.0.0.0/8`) between commas."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InvalidInput(f"{text!r}: {error}.", remedy="Write addresses or networks between commas.") from error


def _setting(default: str, read: Callable[[str], Any], meaning: str) -> Any:
    return field(metadata={"default": default, "read": read, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a running Lading was told. Field `push_addr` is `LADING_PUSH_ADDR` in the environment."""

    data: Path = _setting("/var/lib/lading", _path, "Directory that holds everything Lading keeps.")
    roles: tuple[str, ...] = _setting(
        "push,pull,api,worker", _roles, "What this host runs; several hosts share a PostgreSQL and an object store."
    )
    region: str = _setting("main", _name, "Name of this Lading among others that it replicates with.")
    push_addr: Address = _setting("127.0.0.1:5000", Address.parse, "Push endpoint (authenticated read and write).")
    pull_addr: Address = _setting("127.0.0.1:5001", Address.parse, "Pull endpoint (read-only, approved content only).")
    api_addr: Address = _setting("127.0.0.1:8080", Address.parse, "Management API and web console.")
    tls_cert: Path | None = _setting(
        "", _optional_path, "Certificate chain (PEM) that push and pull endpoint serve TLS with; empty: no TLS."
    )
    tls_key: Path | None = _setting("", _optional_path, "Private key (PEM, unencrypted) of the certificate.")
    database_url: str = _setting(
        "", str, "SQLAlchemy URL of a PostgreSQL database; empty: SQLite in the data directory."
    )
    blob_url: str = _setting(
        "", str, "s3://BUCKET/PREFIX of an object store; empty: a directory in the data directory."
    )
    redirect_seconds: int = _setting(
        "60",
        _count,
        "How long an address is good that a pull of a blob in an object store is sent to; 0: we send the blob.",
    )
    redirect_endpoint: str = _setting(
        "", str, "The object store as clients reach it, https://HOST; empty: as Lading reaches it."
    )
    tree: str = _setting(
        "",
        str,
        "Directory of the tree of files that nginx serves pulls from; empty: tree in the data directory; off: none.",
    )
    tree_group: str = _setting(
        "", str, "Group that may read that tree, such as www-data; empty: only Lading's own user."
    )
    admin_token_file: Path | None = _setting(
        "", _optional_path, "File with the first admin token; empty: print one once."
    )
    engine: str = _setting("", str, "Docker Engine address; empty: the one that answers, else a private one.")
    private_engine: bool = _setting(
        "true", _flag, "Start a private Docker Engine when none answers and we are root on Debian."
    )
    ca_file: Path | None = _setting(
        "", _optional_path, "The site's CA bundle, handed to builds as a secret; empty: the machine's."
    )
    policy: Path | None = _setting("", _optional_path, "Directory of rule files; empty: the default pack.")
    environment: str = _setting(
        "production", str, "Where workloads run unless their file says: production or development."
    )
    anonymous_pull: bool = _setting(
        "false", _flag, "Let those without an account pull from repositories that are public."
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        "", _networks, "Proxies before Lading whose X-Forwarded-For says where a call comes from; empty: none."
    )
    oidc_issuer: str = _setting(
        "", str, "Identity provider that people log in at (OpenID Connect issuer); empty: none."
    )
    oidc_client_id: str = _setting("", str, "What this Lading is called at the identity provider.")
    oidc_client_secret_file: Path | None = _setting(
        "", _optional_path, "File with the secret for that; empty: a public client."
    )
    oidc_scopes: str = _setting("openid profile", str, "What the identity provider is asked to tell, between spaces.")
    oidc_name_claim: str = _setting(
        "preferred_username", str, "Claim that people are named by; of an address what stands before the @."
    )
    oidc_groups_claim: str = _setting("groups", str, "Claim with the groups that somebody is in.")
    oidc_roles: str = _setting(
        "", str, "Roles by group: GROUP=TEAM:ROLE[:PATTERN], between semicolons; the group * is everybody."
    )
    oidc_days: int = _setting("7", _count, "Days that a login's roles, and tokens for the command line, last.")
    principal_calls: int = _setting(
        "0", _count, "Most requests a minute of one principal at each registry endpoint; 0: no limit."
    )
    address_calls: int = _setting(
        "0", _count, "Most requests a minute from one address at each registry endpoint; 0: no limit."
    )
    index_platforms: tuple[str, ...] = _setting(
        "", _platforms, "Platforms that decide how good an index is, such as linux/amd64,linux/arm64; empty: all."
    )
    upstream: str = _setting("", str, "Public registry to mirror missing base images from; empty: none.")
    mirror_wait_seconds: float = _setting(
        "30", _seconds, "How long a pull waits for an image that is brought from an upstream and judged."
    )
    mirror_stale_seconds: float = _setting(
        "5", _seconds, "How long a pull waits for news of a tag that is here, before it is served as it is."
    )
    poll_seconds: float = _setting("0.25", _seconds, "How often followers look for new facts.")
    sample_seconds: float = _setting("2", _seconds, "How often CPU, memory and network of containers are sampled.")
    sense_seconds: float = _setting("1", _seconds, "How often running containers are checked for drift.")
    telemetry_days: int = _setting("14", _count, "Days that logs and samples are kept.")
    telemetry_megabytes: int = _setting("2048", _count, "Most space that logs and samples may take, in MB.")
    rollout_seconds: float = _setting("90", _seconds, "How long a new container may take to become healthy.")
    gc_hours: int = _setting("24", _count, "Hours between collections of garbage in the registry; 0: only when asked.")
    gc_grace_seconds: float = _setting(
        "86400", _seconds, "How long content that nothing names stays: a push may be on its way to name it."
    )
    gc_rate: int = _setting("0", _count, "Most blobs that a collection deletes in a second; 0: as storage allows.")
    min_free_megabytes: int = _setting(
        "512", _count, "Refuse new work when the data directory has less space than this."
    )
    advisory_hours: int = _setting(
        "24", _count, "Hours between updates of the advisory feeds, by the leading worker; 0: only when asked."
    )
    advisory_osv: str = _setting(
        "https://osv-vulnerabilities.storage.googleapis.com",
        str,
        "Base of the OSV exports, or of a mirror of them; empty: none is fetched.",
    )
    advisory_ecosystems: str = _setting(
        "Debian:11,Debian:12,Debian:13,Alpine,PyPI,npm,Go,crates.io,Maven,RubyGems,NuGet,Packagist",
        str,
        "OSV ecosystems that are fetched, between commas.",
    )
    advisory_kev: str = _setting(
        "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
        str,
        "Address of the KEV catalogue; empty: it is not fetched.",
    )
    advisory_epss: str = _setting(
        "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
        str,
        "Address of the EPSS scores; empty: they are not fetched.",
    )
    advisory_stale_days: str = _setting(
        "osv=7,kev=14,epss=7", str, "Days after which a feed is stale, by kind; a kind that is not named never is."
    )
    signing_key: str = _setting(
        "",
        str,
        "What Lading signs with: a file, pkcs11:…, awskms://… or hashivault://… (signing.md); else a key of its own.",
    )
    signing_password_file: Path | None = _setting(
        "", _optional_path, "File with the password, PIN or token that the signing key needs, in its first line."
    )
    trusted_root: Path | None = _setting(
        "",
        _optional_path,
        "sigstore's trusted_root.json: by it signatures by identities are verified, without a network.",
    )
    signature_layouts: str = _setting(
        "older,bundle",
        str,
        "How signatures and attestations are stored: older (tags and envelopes), bundle (as cosign 3 does), or both.",
    )
    advisory_keys: Path | None = _setting(
        "",
        _optional_path,
        "Directory of public keys (*.pem, *.pub) whose advisory bundles are believed, beside our own.",
    )
    licences: Path | None = _setting(
        "", _optional_path, "File that says which licences are allowed, looked at and denied; empty: none is judged."
    )
    support: Path | None = _setting(
        "", _optional_path, "File with days until which releases get fixes, which correct ours; empty: none."
    )
    backup_repository: str = _setting(
        "", str, "Where backups go: a directory, or s3:https://HOST/BUCKET/PREFIX; empty: nowhere."
    )
    backup_password_file: Path | None = _setting(
        "", _optional_path, "File with the password of the backups. Without it no backup can be read: keep a copy."
    )
    backup_password: str = _setting("", str, "The password itself, where a file cannot be; a file is better.")
    backup_keep: str = _setting(
        "last=24,hourly=48,daily=14,weekly=8,monthly=12", str, "Which backups are kept; the others are removed."
    )
    backup_scratch: Path | None = _setting(
        "", _optional_path, "Where restore drills put what they restore; empty: the data directory."
    )
    backup_upload_kilobytes: int = _setting(
        "0", _count, "Most KiB a second that backups write to their repository; 0: no limit."
    )
    log_level: str = _setting("info", str, "Level of Lading's own log: debug, info, warning or error.")

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key of the registry's endpoints; None without TLS; raises InvalidInput for half of it."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidInput(
                "Only one of LADING_TLS_CERT and LADING_TLS_KEY is set.", remedy="Set both, or neither to serve no TLS."
            )
        return (self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None

    @property
    def tree_directory(self) -> Path | None:
        """Where the tree of pulls is kept; None where none is."""
        if self.tree == "off":
            return None
        return _path(self.tree) if self.tree else self.data / "tree"

    @property
    def database(self) -> str:
        """The URL of the database that is really used."""
        return self.database_url or f"sqlite:///{self.data / 'lading.db'}"

    @property
    def api_url(self) -> str:
        """Where the command line finds the API."""
        host = "127.0.0.1" if self.api_addr.host == "0.0.0.0" else self.api_addr.host  # noqa: S104 - a comparison
        return f"http://{Address(host, self.api_addr.port)}"


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One row of the settings table."""

    name: str
    variable: str
    default: str
    meaning: str


def documented() -> list[SettingDoc]:
    """Every setting, in the order of the table."""
    return [
        SettingDoc(item.name, variable(item.name), item.metadata["default"], item.metadata["meaning"])
        for item in fields(Settings)
    ]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load(flags: Mapping[str, str | None] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read settings from flags, environment and file.

    Raises:
        InvalidInput: a value does not fit, or the file has an unknown key; names the setting and where it was said.
    """
    said = {key: value for key, value in (flags or {}).items() if value is not None}
    env = os.environ if environ is None else environ
    file, origin = _from_file(said, env)
    values: dict[str, Any] = {}
    for item in fields(Settings):
        text, where = item.metadata["default"], "default"
        if item.name in file:
            text, where = file[item.name], str(origin)
        if (name := variable(item.name)) in env:
            text, where = env[name], name
        if item.name in said:
            text, where = said[item.name], f"--{item.name.replace('_', '-')}"
        try:
            values[item.name] = item.metadata["read"](text)
        except InvalidInput as error:
            raise InvalidInput(f"Setting {item.name} ({where}): {error.what}", remedy=error.remedy) from error
    return Settings(**values)


def _from_file(flags: Mapping[str, str], env: Mapping[str, str]) -> tuple[dict[str, str], Path | None]:
    named = env.get(PREFIX + "CONFIG", "")
    data = _path(flags.get("data") or env.get(variable("data")) or "/var/lib/lading")
    path = _path(named) if named else data / "lading.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise InvalidInput(f"The settings file {path} does not exist.", remedy="Correct LADING_CONFIG.") from None
        return {}, None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"The settings file {path} cannot be read: {error}.", remedy="Mend it as TOML.") from error
    known = {item.name for item in fields(Settings)}
    if unknown := sorted(set(content) - known):
        names = ", ".join(sorted(known))
        raise InvalidInput(f"{path}: unknown setting {unknown[0]!r}.", remedy=f"Settings are: {names}.")
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in content.items()}, path
