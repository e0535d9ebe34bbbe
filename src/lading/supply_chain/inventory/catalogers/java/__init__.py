"""Java archives: which Maven artifacts a jar, war or ear holds, shaded into it or nested in it.

archive -> names -> pom.properties and manifest -> coordinates (groups only where they are sure) -> nested archives
"""

from lading.supply_chain.inventory.catalogers.java.cataloger import JavaCataloger

__all__ = ["JavaCataloger"]
