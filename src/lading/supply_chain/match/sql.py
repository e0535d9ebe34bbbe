"""The tables of matching: every package seen, where it is, what is wrong with it, and by which names to ask for that.

Packages are kept once for all images, and so is what is wrong with them: a new advisory is compared with each package
once. What one layer brings to an image is a group, kept once for all images that have it: an image is a few groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.kernel.severity import Severity
from lading.state.schema import BigInteger, metadata

packages: Final = sa.Table(
    "match_packages",
    metadata,
    sa.Column("id", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("ecosystem", sa.Text, nullable=False),
    sa.Column("matched_name", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("purl", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, unique=True, comment="msgpack, without layer and path"),
    sa.Index("ix_match_packages_ecosystem_matched_name", "ecosystem", "matched_name"),
    sa.Index("ix_match_packages_matched_name", "matched_name"),
    sa.Index("ix_match_packages_name", "name"),
    sa.Index("ix_match_packages_purl", "purl"),
)

groups: Final = sa.Table(
    "match_groups",
    metadata,
    sa.Column("id", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True, comment="of the layer and the members"),
    sa.Column("layer", sa.Text, nullable=False),
    sa.Column("packages", sa.Integer, nullable=False),
    # How many findings the members have, by severity; kept by whoever changes a flaw.
    *(sa.Column(level.label, sa.Integer, nullable=False, server_default="0") for level in Severity),
)

members: Final = sa.Table(
    "match_members",
    metadata,
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("group_id", sa.BigInteger, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Index("ix_match_members_group_id", "group_id"),
    sqlite_with_rowid=False,
)

images: Final = sa.Table(
    "match_images",
    metadata,
    sa.Column("id", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("image", sa.Text, nullable=False, unique=True),
    sa.Column("packages", sa.Integer, nullable=False),
    sa.Column("matched", sa.Text, nullable=False, server_default="", comment="the first time; empty: not known"),
)

image_groups: Final = sa.Table(
    "match_image_groups",
    metadata,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("group_id", sa.BigInteger, primary_key=True),
    sa.Index("ix_match_image_groups_group_id", "group_id"),
    sqlite_with_rowid=False,
)

# Packages that several layers bring to one image; they count once.
overlaps: Final = sa.Table(
    "match_overlaps",
    metadata,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("extra", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

flaws: Final = sa.Table(
    "match_flaws",
    metadata,
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack, without layer and path"),
    sqlite_with_rowid=False,
)

names: Final = sa.Table(
    "match_flaw_names",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Index("ix_match_flaw_names_package_id", "package", "id"),
    sqlite_with_rowid=False,
)

since: Final = sa.Table(
    "match_since",
    metadata,
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False, comment="when the flaw was first seen in the package"),
    sqlite_with_rowid=False,
)

# Beside the packages, because it is the layer's files that say it.
licences: Final = sa.Table(
    "match_licences",
    metadata,
    sa.Column(
        "licence", sa.Text, primary_key=True, comment="in lower case: a text as a package has it, or an id in it"
    ),
    sa.Column("group_id", sa.BigInteger, primary_key=True),
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index("ix_match_licences_group_id", "group_id"),
    sqlite_with_rowid=False,
)

vex: Final = sa.Table(
    "match_vex",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False, comment="RFC 3339; empty: without end"),
    sa.Column("taken", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    # Its end was stated as a fact.
    sa.Column("ended", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
)

vex_names: Final = sa.Table(
    "match_vex_names",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("vex", sa.Text, primary_key=True),
    sa.Index("ix_match_vex_names_vex", "vex"),
)

# Whose an image is and whether it runs, as far as that was taken over: what flaws reach is worked out from it.
homes: Final = sa.Table(
    "match_homes",
    metadata,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("running", sa.Boolean, nullable=False),
    sa.Index("ix_match_homes_running", "running", "image_id"),
    sa.Index("ix_match_homes_team", "team", "running", "image_id"),
    sqlite_with_rowid=False,
)

# The teams whose images have a group, and the team that owns its layer (empty: nobody knows).
reaches: Final = sa.Table(
    "match_reaches",
    metadata,
    sa.Column("group_id", sa.BigInteger, primary_key=True),
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("running", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# A flaw as it stands for a team (* for all) in layers of an owner (* for any): a row for each list it may be in.
standing: Final = sa.Table(
    "match_standing",
    metadata,
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("flaw", sa.Text, primary_key=True),
    sa.Column("urgency", sa.Text, nullable=False, comment="what matters first comes first; ends with the flaw"),
    sa.Column("running", sa.Boolean, nullable=False),
    sa.Column("exploited", sa.Boolean, nullable=False),
    sa.Column("fixable", sa.Boolean, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("epss", sa.Float, nullable=False),
    sa.Column("seen", sa.Text, nullable=False, comment="first seen in a package that the team has; empty: not known"),
    sa.Column("ecosystems", sa.Text, nullable=False, comment="|Debian|PyPI|, without releases"),
    sa.Index("ix_match_standing_flaw", "flaw"),
    sa.Index("ix_match_standing_urgency", "team", "owner", "urgency"),
    sqlite_with_rowid=False,
)

# From when until when a flaw stood for a team, in what it keeps or in what it runs.
spells: Final = sa.Table(
    "match_spells",
    metadata,
    sa.Column("flaw", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("running", sa.Boolean, primary_key=True),
    sa.Column("began", sa.Text, primary_key=True),
    sa.Column("ended", sa.Text, nullable=False, server_default="", comment="empty: it stands"),
    sa.Column("severity", sa.Integer, nullable=False, comment="when it began"),
    sa.Index("ix_match_spells_began", "team", "running", "began"),
    sa.Index("ix_match_spells_ended", "team", "running", "ended"),
    sqlite_with_rowid=False,
)

# What has to be worked out anew; written with what changed, so that no kill loses it.
stale: Final = sa.Table(
    "match_stale",
    metadata,
    sa.Column("seq", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False, comment="image, group or flaw"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("ix_match_stale_kind", "kind", "seq"),
)

cursor: Final = sa.Table(
    "match_cursor",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

_CHUNK: Final = 500


def chunks(values: Sequence[Any], size: int = _CHUNK) -> Iterator[Sequence[Any]]:
    """`values` in pieces that fit the parameters of one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
