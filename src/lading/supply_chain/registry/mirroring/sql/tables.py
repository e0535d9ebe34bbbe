"""Tables: upstreams and how they are, tags that were looked at, wishes for images."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lading.state.schema import metadata

upstreams: Final = sa.Table(
    "registry_mirror_upstreams",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False, unique=True, comment="of its repositories here"),
    sa.Column("rewrites", sa.Text, nullable=False, server_default="", comment="REMOTE=LOCAL, one a line"),
    sa.Column("user", sa.Text, nullable=False, server_default=""),
    sa.Column("secret", sa.Text, nullable=False, server_default="", comment="sealed"),
    sa.Column("allow", sa.Text, nullable=False, server_default="", comment="patterns of images, one a line"),
    sa.Column("deny", sa.Text, nullable=False, server_default="", comment="patterns of images, one a line"),
    sa.Column("platforms", sa.Text, nullable=False, server_default="", comment="one a line; empty: all"),
    sa.Column("team", sa.Text, nullable=False, comment="that owns what comes"),
    sa.Column("visibility", sa.Text, nullable=False, comment="of repositories that come"),
    sa.Column("freshness", sa.Integer, nullable=False, comment="seconds until a tag is looked at again"),
    sa.Column("on_pull", sa.Boolean, nullable=False, comment="whether a pull brings what is not here"),
    sa.Column("mirror", sa.Text, nullable=False, server_default="", comment="patterns brought by schedule"),
    sa.Column("every", sa.Integer, nullable=False, comment="seconds between schedules; 0: never"),
    sa.Column("rate", sa.BigInteger, nullable=False, comment="bytes a second; 0: as fast as it goes"),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("plain", sa.Boolean, nullable=False, comment="HTTP without TLS"),
    sa.Column("ca_file", sa.Text, nullable=False, server_default=""),
    sa.Column("added", sa.Text, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
    sa.Column("synced", sa.Text, nullable=False, server_default="", comment="when its schedule was last carried out"),
    sa.Column("sync_error", sa.Text, nullable=False, server_default=""),
)

# How an upstream is, and what it said about how often it may be asked; -1 where it said nothing.
health: Final = sa.Table(
    "registry_mirror_health",
    metadata,
    sa.Column("upstream", sa.Text, primary_key=True),
    sa.Column("standing", sa.Text, nullable=False, comment="up, throttled or failing"),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0", comment="in a row"),
    sa.Column("next_try", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("quota", sa.BigInteger, nullable=False, server_default="-1", comment="requests in a window"),
    sa.Column("quota_left", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("quota_window", sa.BigInteger, nullable=False, server_default="-1", comment="seconds"),
    sa.Column("images", sa.BigInteger, nullable=False, server_default="0", comment="brought in all"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0", comment="brought in all"),
    sa.Column("failed", sa.BigInteger, nullable=False, server_default="0", comment="failures in all"),
    sa.Column("throttled", sa.BigInteger, nullable=False, server_default="0", comment="times in all"),
    sa.Column("lied", sa.BigInteger, nullable=False, server_default="0", comment="times in all"),
)

# Tags that came from an upstream, as they were there when they were last looked at.
seen: Final = sa.Table(
    "registry_mirror_tags",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("upstream", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, comment="that the upstream's tag names"),
    sa.Column("etag", sa.Text, nullable=False, server_default=""),
    sa.Column("checked", sa.Text, nullable=False),
    sa.Column("whole", sa.Text, nullable=False, server_default="", comment="when its referrers were last looked for"),
    sa.Column("gone", sa.Text, nullable=False, server_default="", comment="since when the upstream has it no longer"),
    sa.Column(
        "held", sa.Text, nullable=False, server_default="", comment="why the digest is not what the tag names here"
    ),
    sa.Index("ix_registry_mirror_tags_upstream", "upstream", "repository"),
)

# Who wants an image, from whichever process and host: one row, so one pull. A row stays to say how it ended.
wishes: Final = sa.Table(
    "registry_mirror_wishes",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("upstream", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="waiting, running or done"),
    sa.Column("rank", sa.Integer, nullable=False, comment="0: somebody waits, 1: by schedule"),
    sa.Column("noted", sa.Text, nullable=False),
    sa.Column("begun", sa.Text, nullable=False, server_default=""),
    sa.Column("ended", sa.Text, nullable=False, server_default=""),
    sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("until", sa.Text, nullable=False, server_default="", comment="when to try again"),
    sa.Column("digest", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_registry_mirror_wishes_state", "state", "rank", "noted"),
)
