"""The tables of the inventory: one row a layer, with the version of the catalogers, and one row an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
import zstandard
from sqlalchemy.dialects import postgresql, sqlite

from lading.state import Transaction
from lading.state.schema import metadata
from lading.supply_chain.inventory.values import ImageInventory, LayerInventory

layers: Final = sa.Table(
    "inventory_layers",
    metadata,
    sa.Column("layer", sa.Text, primary_key=True),
    sa.Column("cataloger_version", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="zstd of msgpack, without the files"),
    sa.Column("files", sa.LargeBinary, nullable=False, comment="the packed index of files"),
)

images: Final = sa.Table(
    "inventory_images",
    metadata,
    sa.Column("image", sa.Text, primary_key=True),
    sa.Column("cataloger_version", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="zstd of msgpack"),
)

_MOST_BODY: Final = 1 << 30
_encode = msgspec.msgpack.encode
_decode_layer = msgspec.msgpack.Decoder(LayerInventory).decode
_decode_image = msgspec.msgpack.Decoder(ImageInventory).decode


class InventoryStore:
    """Rows of inventories. A layer's row is written once by each version of the catalogers, the last one stays."""

    def layer(self, tx: Transaction, layer: str) -> LayerInventory | None:
        """The inventory of a layer, by whichever version of the catalogers it was taken last."""
        row = tx.execute(sa.select(layers.c.body, layers.c.files).where(layers.c.layer == layer)).first()
        return None if row is None else msgspec.structs.replace(_decode_layer(_unpacked(row[0])), files=bytes(row[1]))

    def put_layer(self, tx: Transaction, inventory: LayerInventory) -> bool:
        """Keep it in the place of those of other versions; whether it was not there yet."""
        version = inventory.cataloger_version
        tx.execute(sa.delete(layers).where(layers.c.layer == inventory.layer, layers.c.cataloger_version != version))
        body = _packed(_encode(msgspec.structs.replace(inventory, files=b"")))
        insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        statement = insert(layers).values(
            layer=inventory.layer, cataloger_version=inventory.cataloger_version, body=body, files=inventory.files
        )
        return tx.execute(statement.on_conflict_do_nothing()).rowcount == 1

    def image(self, tx: Transaction, image: str) -> ImageInventory | None:
        """The inventory of an image, by whichever version of the catalogers it was taken last."""
        body = tx.execute(sa.select(images.c.body).where(images.c.image == image)).scalar()
        return None if body is None else _decode_image(_unpacked(body))

    def put_image(self, tx: Transaction, inventory: ImageInventory) -> bool:
        """Keep it in the place of an older one; whether anything but the version of the catalogers changed."""
        known = self.image(tx, inventory.image)
        if known == inventory:
            return False
        version = inventory.cataloger_version
        changed = known is None or msgspec.structs.replace(known, cataloger_version=version) != inventory
        row = {
            "image": inventory.image,
            "cataloger_version": version,
            "body": _packed(_encode(inventory)),
        }
        insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        statement = insert(images).values(row)
        tx.execute(statement.on_conflict_do_update(index_elements=["image"], set_=row))
        return changed

    def outdated(self, tx: Transaction, version: str, after: str, limit: int) -> list[str]:
        """Images whose inventory is not of this version of the catalogers, in order, beyond `after`."""
        older = sa.select(images.c.image).where(images.c.cataloger_version != version, images.c.image > after)
        return list(tx.execute(older.order_by(images.c.image).limit(limit)).scalars())

    def images_after(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """Images with an inventory, in order, beyond `after`."""
        query = sa.select(images.c.image).where(images.c.image > after).order_by(images.c.image)
        return list(tx.execute(query.limit(limit)).scalars())

    def layers_after(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """Layers with an inventory, in order, beyond `after`."""
        query = sa.select(layers.c.layer).where(layers.c.layer > after).distinct().order_by(layers.c.layer)
        return list(tx.execute(query.limit(limit)).scalars())

    def forget_images(self, tx: Transaction, some: Sequence[str]) -> None:
        """Images of which nothing is known any more."""
        tx.execute(sa.delete(images).where(images.c.image.in_(some)))

    def forget_layers(self, tx: Transaction, some: Sequence[str]) -> None:
        """Layers of which nothing is known any more."""
        tx.execute(sa.delete(layers).where(layers.c.layer.in_(some)))


def _packed(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(body)


def _unpacked(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(bytes(body), max_output_size=_MOST_BODY)
