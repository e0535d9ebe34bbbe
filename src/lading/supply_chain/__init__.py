"""How images come to be: build, registry, inventory, advisories, match, attest."""
