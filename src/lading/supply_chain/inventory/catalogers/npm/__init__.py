"""npm packages: what npm, yarn or pnpm installed, and their lock files.

package.json below node_modules | package-lock, npm-shrinkwrap, yarn.lock, pnpm-lock -> names and versions -> packages
"""

from lading.supply_chain.inventory.catalogers.npm.cataloger import NpmCataloger

__all__ = ["NpmCataloger"]
