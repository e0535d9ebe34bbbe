"""Facts counted per capability: how often, when and about what it was last seen being done."""
