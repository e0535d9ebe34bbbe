"""Tables: targets and what waits for them, registers, accepted regions, conflicts, delays."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lading.state.schema import metadata

targets: Final = sa.Table(
    "registry_replication_targets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False, comment="lading or oci"),
    sa.Column("url", sa.Text, nullable=False, comment="of the API of a region, or of a registry"),
    sa.Column("push", sa.Text, nullable=False, server_default="", comment="of a region's push endpoint"),
    sa.Column("user", sa.Text, nullable=False, server_default=""),
    sa.Column("secret", sa.Text, nullable=False, comment="sealed"),
    sa.Column("prefix", sa.Text, nullable=False, server_default="", comment="of repositories, in an OCI registry"),
    sa.Column("patterns", sa.Text, nullable=False, comment="of repositories, one a line"),
    sa.Column("states", sa.Text, nullable=False, comment="any or approved"),
    sa.Column("rate", sa.BigInteger, nullable=False, comment="bytes a second; 0: as fast as it goes"),
    sa.Column("added", sa.Text, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
    sa.Column("standing", sa.Text, nullable=False, comment="new, following or failing"),
    sa.Column("behind_since", sa.Text, nullable=False, comment="since when it is new or failing"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0", comment="in a row"),
    sa.Column("next_try", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("items", sa.BigInteger, nullable=False, server_default="0", comment="sent in all"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0", comment="sent in all"),
)

# What a target does not have yet. An item names what changed, not how: that is looked up when it is sent.
items: Final = sa.Table(
    "registry_replication_items",
    metadata,
    sa.Column("target", sa.Text, sa.ForeignKey("registry_replication_targets.name"), primary_key=True),
    sa.Column("lane", sa.Integer, primary_key=True, comment="0: revocations, 1: all else"),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, comment="of the latest fact about it"),
    sa.Column("since", sa.BigInteger, nullable=False, comment="when the oldest unsent fact was stated, in us"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_registry_replication_items_seq", "target", "lane", "seq"),
)

# Uploads under way, to be continued after a kill. A location may let whoever knows it write: it is sealed.
uploads: Final = sa.Table(
    "registry_replication_uploads",
    metadata,
    sa.Column("target", sa.Text, sa.ForeignKey("registry_replication_targets.name"), primary_key=True),
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("location", sa.Text, nullable=False, comment="sealed"),
    sa.Column("at", sa.Text, nullable=False),
)

# How long items waited until their target had them, by the hour.
delays: Final = sa.Table(
    "registry_replication_delays",
    metadata,
    sa.Column("target", sa.Text, sa.ForeignKey("registry_replication_targets.name"), primary_key=True),
    sa.Column("hour", sa.Text, primary_key=True),
    sa.Column("items", sa.BigInteger, nullable=False),
    sa.Column("worst_us", sa.BigInteger, nullable=False),
    sa.Column("total_us", sa.BigInteger, nullable=False),
)

registers: Final = sa.Table(
    "registry_replication_registers",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False, comment="JSON: region to time"),
    sa.Column("seen", sa.Text, nullable=False, comment="JSON: region to time"),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False, server_default=""),
)

# How far the ledger was taken into the registers.
positions: Final = sa.Table(
    "registry_replication_positions",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

regions: Final = sa.Table(
    "registry_replication_regions",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, comment="public, PEM"),
    sa.Column("patterns", sa.Text, nullable=False, comment="of repositories, one a line"),
    sa.Column("approvals", sa.Boolean, nullable=False),
    sa.Column("deletions", sa.Boolean, nullable=False),
    sa.Column("accepted", sa.Text, nullable=False),
    sa.Column("accepted_by", sa.Text, nullable=False),
    sa.Column("heard", sa.Text, nullable=False, server_default=""),
    sa.Column("applied", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("refused", sa.BigInteger, nullable=False, server_default="0"),
)

conflicts: Final = sa.Table(
    "registry_replication_conflicts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    sa.Column("kept", sa.Text, nullable=False),
    sa.Column("kept_region", sa.Text, nullable=False),
    sa.Column("lost", sa.Text, nullable=False),
    sa.Column("lost_region", sa.Text, nullable=False),
)
