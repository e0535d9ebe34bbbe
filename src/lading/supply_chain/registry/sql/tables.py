"""The registry's tables: repositories, manifests, tags, blob links, states."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lading.state.schema import metadata

# The first component of a repository's name belongs to the team that first pushed below it.
namespaces: Final = sa.Table(
    "registry_namespaces",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

repositories: Final = sa.Table(
    "registry_repositories",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("visibility", sa.Text, nullable=False, server_default="internal", comment="private, internal or public"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0", comment="of the blobs it has"),
    sa.Index("ix_registry_repositories_team", "team"),
)

# What a team's repositories may hold together.
quotas: Final = sa.Table(
    "registry_quotas",
    metadata,
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)

# Every blob that storage holds or is about to hold, manifests included. A row comes before the content and goes with
# it; `generation` changes when content is collected and stored again.
blobs: Final = sa.Table(
    "registry_blobs",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("stored", sa.Text, nullable=False, comment="when it was last about to be stored"),
    sa.Column("generation", sa.Text, nullable=False),
    sa.Index("ix_registry_blobs_stored", "stored", "digest"),
)

# A manifest's bytes are content like any other and live in the blob store; this is what is known of it.
manifests: Final = sa.Table(
    "registry_manifests",
    metadata,
    sa.Column("repository", sa.Text, sa.ForeignKey("registry_repositories.name"), primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content_size", sa.BigInteger, nullable=False, comment="bytes of manifest, config and layers"),
    sa.Column("config", sa.Text, nullable=False, server_default=""),
    sa.Column("artifact_type", sa.Text, nullable=False, server_default=""),
    sa.Column("refers_to", sa.Text, nullable=False, server_default="", comment="its subject"),
    sa.Column("served_with", sa.Text, nullable=False, server_default="", comment="the image it is pulled with"),
    sa.Column("runnable", sa.Boolean, nullable=False),
    sa.Column("annotations", sa.LargeBinary),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("commit", sa.Text, nullable=False, server_default=""),
    sa.Column("pipeline", sa.Text, nullable=False, server_default=""),
    sa.Column("pushed", sa.Text, nullable=False),
    sa.Index("ix_registry_manifests_digest", "digest"),
    sa.Index("ix_registry_manifests_refers_to", "refers_to"),
    sa.Index("ix_registry_manifests_served_with", "served_with"),
    sa.Index("ix_registry_manifests_pushed", "pushed"),
    sa.Index("ix_registry_manifests_repository_pushed", "repository", "pushed"),
)

# What a manifest is made of: layers (in order), its config, and the manifests of an index.
parts: Final = sa.Table(
    "registry_parts",
    metadata,
    sa.Column("manifest", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True, comment="layer, config or manifest"),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("platform", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_registry_parts_digest", "digest"),
)

tags: Final = sa.Table(
    "registry_tags",
    metadata,
    sa.Column("repository", sa.Text, sa.ForeignKey("registry_repositories.name"), primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("moved", sa.Text, nullable=False),
    sa.Column("folded", sa.Text, nullable=False, server_default="", comment="in lower case: lists are in this order"),
    sa.Index("ix_registry_tags_digest", "digest", "repository"),
    sa.Index("ix_registry_tags_folded", "repository", "folded", "tag"),
)

# What a tag named before it moved on: whoever still asks for that is told where the tag went.
past_tags: Final = sa.Table(
    "registry_past_tags",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("left", sa.Text, nullable=False, comment="when it moved on"),
)

blob_links: Final = sa.Table(
    "registry_blob_links",
    metadata,
    sa.Column("repository", sa.Text, sa.ForeignKey("registry_repositories.name"), primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("linked", sa.Text, nullable=False, server_default="", comment="when it was last pushed or asked for"),
    sa.Index("ix_registry_blob_links_digest", "digest"),
)

# How often and when last a manifest was pulled, as the pull endpoint reports it.
pulls: Final = sa.Table(
    "registry_pulls",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("last", sa.Text, nullable=False),
)

# Who brought a layer: the base that it is of, as far as that is known, or else the first image pushed with it.
layer_origins: Final = sa.Table(
    "registry_layer_origins",
    metadata,
    sa.Column("layer", sa.Text, primary_key=True),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("layers", sa.Integer, nullable=False, server_default="0", comment="of that image; 0: not known"),
)

states: Final = sa.Table(
    "registry_states",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False, server_default=""),
    sa.Column("until", sa.Text, nullable=False, server_default=""),
    sa.Column("replaced_by", sa.Text, nullable=False, server_default=""),
    sa.Column("since", sa.Text, nullable=False),
    sa.Index("ix_registry_states_state", "state", "since"),
    sa.Index("ix_registry_states_until", "state", "until"),
)

spool_cursors: Final = sa.Table(
    "registry_spool_cursors",
    metadata,
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("offset", sa.BigInteger, nullable=False),
)

# Uploads into an object store: what is durable of them. A directory keeps its uploads as files.
uploads: Final = sa.Table(
    "registry_uploads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("touched", sa.Text, nullable=False),
    sa.Index("ix_registry_uploads_touched", "touched"),
)

# Each piece is an object of its own, noted down before it is written, so that no object is ever left unknown.
upload_pieces: Final = sa.Table(
    "registry_upload_pieces",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("upload", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, comment="null until it is a part of the upload"),
    sa.Column("made", sa.Text, nullable=False),
    sa.Index("ix_registry_upload_pieces_upload", "upload", "at"),
)
