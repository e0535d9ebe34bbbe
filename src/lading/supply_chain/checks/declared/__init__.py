"""Files that declare how images are made and run: Dockerfiles, Compose files, Kubernetes manifests.

walking (which files) -> kinds (what each is) -> reading (into a form) -> judging (rules, comments that accept)
"""

from lading.supply_chain.checks.declared.judging import FilesChecked, check_sources
from lading.supply_chain.checks.declared.kinds import FILE_KINDS, FileKind
from lading.supply_chain.checks.declared.source import Source

__all__ = ["FILE_KINDS", "FileKind", "FilesChecked", "Source", "check_sources"]
