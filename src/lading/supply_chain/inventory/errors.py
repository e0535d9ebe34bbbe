"""What can go wrong while an image is inventoried. Bad content of an image is never an error: it is a gap."""

from __future__ import annotations

from lading.kernel.errors import InvalidInput, LadingError, NotFound


class InventoryError(LadingError):
    """The root of this room's errors."""

    code = "inventory"


class LayerMissing(InventoryError, NotFound):
    """The layer source does not have the image or the layer that was asked for."""

    code = "layer_missing"


class NotInventoried(InventoryError, NotFound):
    """The image was never inventoried."""

    code = "not_inventoried"


class SbomInvalid(InventoryError, InvalidInput):
    """A bill of materials is malformed, too large, or of a form that is not read."""

    code = "sbom_invalid"
