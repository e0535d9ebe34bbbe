"""Well-known programs that somebody copied or compiled into an image: told by a text that each of them carries.

Where a distribution's package owns the file, that package says better what it is, and merging leaves these out. There
are no advisories under these names: they are seen, not matched.
"""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.programs import ELF, HEAD, MACHO, PE, form_of
from lading.supply_chain.inventory.values import Package, PackageDatabase

ECOSYSTEM: Final = "generic"
# Every repetition is bounded: a program of nothing but digits is read in one go.
_NUMBERS: Final = rb"([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,6}"
# Product -> what its files are called, and the text around its version.
_PRODUCTS: Final = {
    "bash": (r"bash", _NUMBERS + rb")\([0-9]{1,6}\)-release|@\(#\)Bash version " + _NUMBERS + rb")"),
    "busybox": (r"busybox.*", rb"BusyBox v" + _NUMBERS + rb")"),
    "curl": (r"curl|libcurl\.so.*", rb"(?:lib)?curl/" + _NUMBERS + rb")"),
    "haproxy": (r"haproxy", rb"\x00" + _NUMBERS + rb")-[0-9A-Za-z.+~]{5,40}\x00"),
    "httpd": (r"httpd|apache2", rb"Apache/" + _NUMBERS + rb")"),
    "mariadb": (r"mariadbd?|mysqld?", rb"\x00" + _NUMBERS + rb")-MariaDB"),
    "nginx": (r"nginx.*", rb"nginx/" + _NUMBERS + rb")"),
    "node": (r"node(?:js)?", rb"node\.js/v" + _NUMBERS + rb")"),
    "openssl": (r"openssl|lib(?:crypto|ssl)\b.*\.so.*", rb"\x00OpenSSL " + _NUMBERS + rb"[a-z]?) {1,2}[0-9]{1,2} "),
    "php": (r"php.*|libphp.*", rb"X-Powered-By: PHP/" + _NUMBERS + rb")"),
    "postgresql": (r"postgres", rb"\(PostgreSQL\) ([0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?)"),
    "python": (r"(?:lib)?python3.*", rb"\x00(3\.[0-9]{1,4}\.[0-9]{1,4}(?:(?:a|b|rc)[0-9]{1,4})?\+?)\x00"),
    "redis": (r"(?:redis|valkey)-(?:server|check-rdb)", rb"\x00" + _NUMBERS + rb")\x00(?:c11|atomic|sync)-builtin\x00"),
    "ruby": (r"ruby.*|libruby.*\.so.*", rb"ruby " + _NUMBERS + rb")(?:p[0-9]{1,6})? \([0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "zlib": (r"libz\.so.*", rb" deflate " + _NUMBERS + rb"(?:\.[0-9]{1,4})?) Copyright"),
}  # fmt: skip
_FILES: Final = {name: re.compile(file) for name, (file, _) in _PRODUCTS.items()}
_TEXTS: Final = {name: re.compile(text) for name, (_, text) in _PRODUCTS.items()}
_JAVA: Final = re.compile(rb'^JAVA_(?:RUNTIME_)?VERSION="([0-9][0-9A-Za-z.+_-]{0,60})"', re.MULTILINE)
_RELEASE: Final = "release"


class WellKnownCataloger:
    """Reads the version of single programs, and the file `release` of a Java runtime."""

    name = "well-known"
    revision = 1
    places = Places(names=frozenset({_RELEASE}), forms=frozenset({ELF, PE, MACHO}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return path.endswith(f"/{_RELEASE}") or _product(path) != ""

    def read(self, path: str, content: bytes) -> PackageDatabase:
        if form_of(content[:HEAD]):
            product = _product(path)
            found = _TEXTS[product].search(content) if product else None
        else:
            product, found = "java", _JAVA.search(content[:65_536]) if path.endswith(f"/{_RELEASE}") else None
        if found is None:
            return PackageDatabase(path=path, cataloger=self.name)
        version = next(group for group in found.groups() if group).decode("ascii")
        purl = PackageUrl.of("generic", product, version=version)
        package = Package(purl=str(purl), ecosystem=ECOSYSTEM, name=product, version=version, path=path)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,))


def _product(path: str) -> str:
    name = path.rpartition("/")[2].removesuffix(".exe")
    return next((product for product, file in _FILES.items() if file.fullmatch(name)), "")
